#!/usr/bin/env bash
# The quick part of .ci/run, for people at work: formats, vet, build, tests, and
# the linters where `make tools` has built them. Exit status 0: all good.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage='Usage: scripts/check.sh

Checks formats, go vet, build and tests of all modules, and what the linters say where
make tools has built them. Exit status: 0 all good, 1 something is not, 2 wrong usage.'
case "$#:${1-}" in
0:) ;;
1:--help)
	printf '%s\n' "$usage"
	exit
	;;
*)
	printf '%s\n' "$usage" >&2
	exit 2
	;;
esac

say() { printf '== %s\n' "$*"; }

say gofmt
bad=$(git ls-files -z --cached --others --exclude-standard -- '*.go' | grep -zv '/testdata/' | xargs -0r gofmt -l)
if [ -n "$bad" ]; then
	printf 'not as gofmt writes it (make format mends it):\n%s\n' "$bad"
	exit 1
fi

say go vet work
go vet work

say go build work
go build work

say go test work
go test work
# The go command keeps a test's result while the files of its own module stay the
# same; these read the files of all modules, and the pages.
go test -count=1 -run 'Architecture|Links|Indexes|Readme|Explained|LogCommands' ./api
go test -count=1 ./core/config ./examples/configs ./cli/internal/manual

if [ -x bin/golangci-lint ]; then
	say golangci-lint
	bin/golangci-lint run ./core/... ./loadbalance/... ./relay/... ./api/... ./cli/... ./examples/... ./examples/embedding/...
else
	say 'golangci-lint skipped: make tools builds it'
fi
say all good
