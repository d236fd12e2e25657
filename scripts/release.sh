#!/usr/bin/env bash
# Makes a release: one commit beside main, in which the modules require each
# other by version instead of by folder, with a tag for each module; proves from
# empty folders that it can be used; and only then puts the tags into this
# repository. Nothing is pushed: the last line says how.
set -euo pipefail

usage() {
	cat <<'TEXT'
Usage: scripts/release.sh [--dry-run] vX.Y.Z

  --dry-run   do everything but the last step: this repository stays as it is

The commit that is checked out is released. It must be clean (with --dry-run what is not committed
is left out, with a warning). All work is done in a temporary clone, and the go command gets the
modules from that clone's tags, as it will get them from the server's.
TEXT
}

say() { printf '== %s\n' "$*"; }
fail() {
	printf 'release: %s\n' "$*" >&2
	exit 1
}

dry=no
version=
while [ $# -gt 0 ]; do
	case $1 in
	--dry-run) dry=yes ;;
	--help | -h)
		usage
		exit 0
		;;
	v*) version=$1 ;;
	*)
		usage >&2
		exit 2
		;;
	esac
	shift
done
if [ -z "$version" ]; then
	usage >&2
	exit 2
fi
[[ $version =~ ^v[01]\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
	fail "$version is not vX.Y.Z with X of 0 or 1 (from v2 on, Go wants the number in the modules' paths)"

cd "$(dirname "${BASH_SOURCE[0]}")/.."
repository=$PWD
path=github.com/PPKunOfficial/berry-api
# Each after those that it requires.
modules=(core loadbalance relay api cli)
tags=("$version" "${modules[@]/%//$version}")

for tag in "${tags[@]}"; do
	if git rev-parse -q --verify "refs/tags/$tag" >/dev/null; then fail "the tag $tag exists already"; fi
done
if [ -n "$(git status --porcelain)" ]; then
	[ "$dry" = yes ] || fail 'there are changes that are not committed (git status)'
	echo 'release: what is not committed is left out' >&2
fi

head=$(git rev-parse HEAD)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source=$work/source
cache=$work/cache # of modules that may become a release's: never the user's own cache

say "clone of $(git rev-parse --short HEAD)"
git clone --quiet --no-hardlinks "$repository" "$source"
git -C "$source" checkout --quiet --detach "$head"
commit() {
	# Where nobody is configured, as in CI, by who made the last commit.
	git -C "$source" -c user.name="$(git config user.name || git log -1 --format=%cn)" \
		-c user.email="$(git config user.email || git log -1 --format=%ce)" commit --quiet --all --message "$@"
}

# What else is needed comes from the user's module cache, or from where he gets modules.
ours=file://$cache/cache/download
others=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)
# The modules are not in the public checksum database, and the go command must not ask it for them.
export GOWORK=off GONOSUMDB="$path,$path/*" GOPROXY=$ours,$others
# -trimpath and no cgo: what the other builds of the programs compiled can be used again.
export GOFLAGS='-modcacherw -trimpath' CGO_ENABLED=0

# fetch MODULE: the go command takes it from the clone's tag as it would from the
# server, packs it, and leaves it where the others find it.
fetch() {
	GOMODCACHE=$cache GOPROXY=direct GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$source.insteadOf" \
		GIT_CONFIG_VALUE_0=https://$path go mod download "$path/$1@$version"
}

for module in "${modules[@]}"; do
	say "$module $version"
	edits=()
	for sibling in "${modules[@]}"; do
		edits+=("-dropreplace=$path/$sibling")
		if grep -q "^\s*$path/$sibling v" "$source/$module/go.mod"; then
			edits+=("-require=$path/$sibling@$version")
		fi
	done
	go -C "$source/$module" mod edit "${edits[@]}"
	if grep -q '^replace' "$source/$module/go.mod"; then fail "$module still replaces something, which go install refuses"; fi
	GOMODCACHE=$work/modules go -C "$source/$module" mod tidy
	if ! git -C "$source" diff --quiet; then commit "$module: requires its siblings by version"; fi
	git -C "$source" tag "$module/$version"
	fetch "$module"
done

say 'one commit for all'
git -C "$source" reset --quiet --soft "$head"
if ! git -C "$source" diff --cached --quiet; then
	commit "release $version: the modules require each other by version"
fi
for tag in "${tags[@]}"; do git -C "$source" tag --force "$tag" >/dev/null; done
rm -rf "$cache" "$work/modules"
for module in "${modules[@]}"; do fetch "$module"; done

# From here on as a user, who has nothing of all that.
export GOMODCACHE=$work/user GOBIN=$work/bin
mkdir "$work/empty" "$work/embedder"

say "go install $path/api/cmd/berry-api@$version, from an empty folder"
cd "$work/empty"
go install "$path/api/cmd/berry-api@$version"
go install "$path/cli/cmd/berry-cli@$version"
same() { [ "$1" = "$2" ] || fail "$3 says \"$2\", not \"$1\""; }
same "berry-api $version" "$("$GOBIN/berry-api" --version)" 'the installed berry-api --version'
same "\"$version\"" "$("$GOBIN/berry-cli" version --json | sed -n 's/.*"version": *\("[^"]*"\).*/\1/p')" 'the installed berry-cli version'
"$GOBIN/berry-cli" generate-config -o config.toml >/dev/null
"$GOBIN/berry-cli" validate-config >/dev/null || fail 'the installed berry-cli does not take its own configuration'

say "go get $path/loadbalance@$version, in a program of its own"
cd "$work/embedder"
cat >main.go <<'GO'
package main

import (
	"fmt"
	"log"

	"github.com/PPKunOfficial/berry-api/loadbalance"
)

func main() {
	strategy, err := loadbalance.ParseStrategy("round_robin")
	if err != nil {
		log.Fatal(err)
	}
	fleet := loadbalance.NewFleet(loadbalance.Options{})
	balancer, err := fleet.Balancer(loadbalance.Config{
		Name: "search", Strategy: strategy,
		Listings: []loadbalance.Listing{{ID: "east", Weight: 1}, {ID: "west", Weight: 1}},
	})
	if err != nil {
		log.Fatal(err)
	}
	picked := map[string]int{}
	for range 10 {
		lease, err := balancer.Pick(&loadbalance.Request{})
		if err != nil {
			log.Fatal(err)
		}
		picked[lease.ID()]++
		lease.Report(loadbalance.Outcome{Kind: loadbalance.Success})
	}
	fmt.Println(picked)
}
GO
go mod init example.com/embedder 2>/dev/null
go get "$path/loadbalance@$version"
same 'map[east:5 west:5]' "$(go run .)" "the embedder's program"
same "$path/loadbalance $version" "$(go list -m all | tail -n +2)" "the embedder's list of modules"

say 'examples/embedding, outside of the repository'
cp -r "$source/examples/embedding" "$work/example"
cd "$work/example"
go mod edit -require="$path/loadbalance@$version"
go mod tidy
go vet ./...

cd "$repository"
say 'the modules build from the tagged commit on their own, with complete go.sum files'
for module in "${modules[@]}"; do go -C "$source/$module" build -mod=readonly ./...; done

say "installed and built: $version"
git -C "$source" diff --stat "$head" "$version" --
if [ "$dry" = yes ]; then
	say "dry run: no tag was made here. It would have been: ${tags[*]}"
	exit 0
fi
git fetch --quiet --no-tags "$source" "refs/tags/$version"
for tag in "${tags[@]}"; do git tag "$tag" "$(git -C "$source" rev-parse "$tag")"; done
say "tagged. To publish: git push origin ${tags[*]}"
