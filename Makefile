# make alone prints this list. The words are the same ones that CI runs.

modules = ./core/... ./loadbalance/... ./relay/... ./api/... ./cli/... ./examples/... ./examples/embedding/...

.DEFAULT_GOAL := help
.PHONY: help demo build test race lint format e2e quick check tools man deb images release clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the server with fake providers: no file, no key, no network
	go run ./api/cmd/berry-api --demo

build: ## build berry-api and berry-cli into bin/
	go build -o bin/ ./api/cmd/berry-api ./cli/cmd/berry-cli

test: ## all tests of all modules
	go test work

race: ## all tests under the race detector
	go test -race -shuffle=on work

lint: bin/golangci-lint ## run the linters
	bin/golangci-lint run $(modules)

format: bin/golangci-lint ## format all Go files
	bin/golangci-lint fmt $(modules)

e2e: ## real clients against a real server (see e2e/)
	GOWORK=off go -C e2e test ./...

quick: ## what to run before a commit: format, vet, build, tests, linters
	scripts/check.sh

check: ## all that CI runs; takes minutes
	.ci/run

tools: bin/golangci-lint ## build the linters into bin/

bin/golangci-lint: tools/go.mod tools/go.sum
	GOWORK=off go -C tools build -o ../bin/ tool
	@touch $@

man: ## make the man pages of berry-cli in docs/man anew
	go run ./cli/cmd/berry-man docs/man

deb: ## build the Debian package into dist/
	scripts/build-deb.sh

images: ## build both container images with buildah and run them; needs root, buildah and Go
	deploy/images/try.sh

release: ## try a release in a temporary clone: both programs installed, an embedder built
	scripts/release.sh --dry-run v0.0.0-try

clean: ## remove what was built
	rm -rf bin dist docker-binaries
