#!/usr/bin/env bash
# Runs a berry-api built from this checkout for a long time against fake
# providers that misbehave, on loopback only, and prints what clients saw and
# how memory, goroutines and open files moved. It ends by itself.
# Arguments go on: -for 1h -rate 10 are the defaults.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p bin
go build -o bin/berry-api ./api/cmd/berry-api
GOWORK=off go -C e2e build -o ../bin/soak ./soak
bin/soak -berry bin/berry-api "$@"
