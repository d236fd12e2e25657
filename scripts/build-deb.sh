#!/usr/bin/env bash
# Builds the Debian package into dist/ and prints its path.
set -euo pipefail

usage() {
	cat <<'TEXT'
Usage: scripts/build-deb.sh [--arch amd64|arm64] [--version VERSION]

Builds berry-api and berry-cli (scripts/build-precompiled-docker.sh does) and packs them with
deploy/package/nfpm.yaml. nfpm is built first, from the version in deploy/go.mod.
The version is v0.0.0 unless given; one with a hyphen is a pre-release.
TEXT
}

arch=$(go env GOHOSTARCH)
version=v0.0.0
while [ $# -gt 0 ]; do
	case $1 in
	--help | -h)
		usage
		exit 0
		;;
	--arch | --version)
		if [ $# -lt 2 ]; then
			usage >&2
			exit 2
		fi
		if [ "$1" = --arch ]; then arch=$2; else version=$2; fi
		shift
		;;
	*)
		usage >&2
		exit 2
		;;
	esac
	shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/build-precompiled-docker.sh --binaries-only --arch "$arch" --version "$version" >&2
mkdir -p dist bin
GOWORK=off go -C deploy build -o ../bin/ github.com/goreleaser/nfpm/v2/cmd/nfpm
export BERRY_ARCH=$arch BERRY_VERSION=$version BERRY_BINARIES=docker-binaries/linux-$arch
package=dist/berry-api_${version#v}_$arch.deb
bin/nfpm package --config deploy/package/nfpm.yaml --packager deb --target "$package" >&2
printf '%s\n' "$package"
