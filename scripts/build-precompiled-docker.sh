#!/usr/bin/env bash
# Builds berry-api and berry-cli for linux/amd64 and linux/arm64 into
# docker-binaries/, and from them the image of Dockerfile.prebuilt.
set -euo pipefail

usage() {
	cat <<'TEXT'
Usage: scripts/build-precompiled-docker.sh [flags]

  --binaries-only     build the programs, and no image
  --arch LIST         platforms, comma separated: amd64,arm64 (the default is both)
  --base IMAGE        another base than the one that Dockerfile.prebuilt names
  --tag NAME          the image's name, berry-api:latest unless given
  --version VERSION   what the programs call themselves; else git describe, else dev
  --help              print this

The image is made for this machine's own platform with `docker build`, or with podman or
buildah where there is no docker. It ends with status 0 when all that was asked for is there.
TEXT
}

fail() {
	printf 'build-precompiled-docker: %s\n' "$*" >&2
	exit 1
}

tag=berry-api:latest
platforms=amd64,arm64
base=
version=
image=yes
while [ $# -gt 0 ]; do
	case $1 in
	--binaries-only) image=no ;;
	--arch | --base | --tag | --version)
		[ $# -ge 2 ] || fail "$1 needs a value"
		case $1 in
		--arch) platforms=$2 ;;
		--base) base=$2 ;;
		--tag) tag=$2 ;;
		--version) version=$2 ;;
		esac
		shift
		;;
	--help | -h)
		usage
		exit 0
		;;
	*)
		usage >&2
		exit 2
		;;
	esac
	shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${version:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
stamps="-X main.stamp=$version -X github.com/PPKunOfficial/berry-api/cli/internal/command.stamp=$version"

# build ARCH PROGRAM MODULE: as `go install` would, static and without this machine's paths.
build() {
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 GOWORK=off go -C "$3" build -trimpath -buildvcs=false \
		-ldflags "-s -w $stamps" -o "$PWD/docker-binaries/linux-$1/$2" "./cmd/$2"
}

for arch in ${platforms//,/ }; do
	printf '== berry-api and berry-cli %s for linux/%s\n' "$version" "$arch"
	mkdir -p "docker-binaries/linux-$arch"
	build "$arch" berry-api api
	build "$arch" berry-cli cli
done
ls -l docker-binaries/linux-*/

if [ "$image" = no ]; then
	exit 0
fi

own=$(go env GOHOSTARCH)
[ -x "docker-binaries/linux-$own/berry-api" ] || fail "the image is for this machine's linux/$own, which --arch leaves out; or ask for --binaries-only"
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
	engine=(docker build)
elif command -v podman >/dev/null; then
	engine=(podman build --format docker)
elif command -v buildah >/dev/null; then
	engine=(buildah build --format docker)
else
	fail 'the programs are in docker-binaries/, but no engine answers that could make an image (docker, podman or buildah); with --binaries-only none is needed'
fi
printf '== %s with %s\n' "$tag" "${engine[0]}"
"${engine[@]}" --build-arg "TARGETARCH=$own" ${base:+--build-arg "BASE_IMAGE=$base"} -f Dockerfile.prebuilt -t "$tag" .
