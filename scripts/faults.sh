#!/usr/bin/env bash
# Plays the fault catalogue S01-S16 with its full times (about two minutes)
# against a berry-api built from this checkout, on loopback only, and prints the
# score card as Markdown. Arguments go on: --only S01,S08 plays a part.
# The exit status is 0 when all pass.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p bin
go build -o bin/berry-api ./api/cmd/berry-api
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
printf 'Commit %s. ' "$commit"
GOWORK=off go -C e2e build -o ../bin/faults ./faults
bin/faults -berry bin/berry-api "$@"
