#!/usr/bin/env bash
# Reloads a berry-api built from this checkout 100 times in a minute while 50
# streams and 200 requests a second run, on loopback only, and prints what became
# of them. With --race first, berry-api is built with the race detector. Further
# arguments go on: -reloads 100 -for 1m -rate 200 -streams 50 are the defaults.
# The exit status is 0 when nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

race=()
if [ "${1:-}" = --race ]; then
	race=(-race)
	shift
fi
mkdir -p bin
go build "${race[@]}" -o bin/berry-api-reloads ./api/cmd/berry-api
GOWORK=off go -C e2e build -o ../bin/reloads ./reload
bin/reloads -berry bin/berry-api-reloads "$@"
