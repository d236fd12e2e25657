#!/usr/bin/env bash
# Builds the dashboard, the page in api/dashboard: type-checks its source and
# writes api/dashboard/dist, which is committed and embedded in the server.
#
#   scripts/dashboard.sh            build it, to commit the result
#   scripts/dashboard.sh --check    only see whether what is committed is what the source builds
#
# Needs npm; installs the packages that package-lock.json pins. Exit status: 0 good, 1 not, 2 wrong usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../api/dashboard"

usage='Usage: scripts/dashboard.sh [--check]

  --check   only see whether what is committed is what the source builds'
case "$#:${1-}" in
0:) out=dist ;;
1:--help)
	printf '%s\n' "$usage"
	exit
	;;
1:--check)
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
	;;
*)
	printf '%s\n' "$usage" >&2
	exit 2
	;;
esac

npm ci --ignore-scripts --no-audit --no-fund
npx --no-install tsc --noEmit
npx --no-install vite build --outDir "$out" --emptyOutDir

if [ "$out" != dist ] && ! diff -r "$out" dist; then
	echo "api/dashboard/dist is not what its source builds: run scripts/dashboard.sh and commit the result" >&2
	exit 1
fi
