#!/usr/bin/env bash
# Measures how a berry-api built from this checkout grows with its configuration,
# up to 2000 users, 400 models and 2000 backends: loading, reloading, memory,
# choosing, pages. On loopback only, about two minutes, Linux. Arguments go on:
# -o docs/PERFORMANCE.md writes table and plot there, --quick is a trial run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p bin
GOWORK="" go build -o bin/berry-api ./api/cmd/berry-api
GOWORK=off go -C e2e build -o ../bin/scale ./scale
bin/scale -berry bin/berry-api "$@"
