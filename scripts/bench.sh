#!/usr/bin/env bash
# Measures a berry-api built from this checkout, with all its features on,
# against a bare reverse proxy in Go: CPU per request, latency, memory. On
# loopback only, no root, Linux, about ten minutes; it ends by itself. Arguments
# go on: -o docs/PERFORMANCE.md writes table and plot there, --quick is a trial
# run of seconds, -rounds 7 and -workloads W1,W3p are what they say.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p bin
GOWORK="" go build -o bin/berry-api ./api/cmd/berry-api
GOWORK=off go -C e2e build -o ../bin/bench ./bench
bin/bench -berry bin/berry-api "$@"
