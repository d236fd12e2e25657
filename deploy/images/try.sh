#!/usr/bin/env bash
# Builds both images with buildah, which needs no engine, and runs them: as the
# demo, with a mounted configuration, with the health check, and berry-cli.
#
# The bases are on the network, so stand-ins take their places: an empty image
# with certificates and the user 65532 for the distroless one, and this machine's
# own Go and file system for the Go image. What is shown is that the files build
# and that the result runs, not what the real bases hold.
#
#   deploy/images/try.sh          as root, with buildah and Go
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
	printf 'images: %s\n' "$*" >&2
	exit 1
}
say() { printf 'images: %s\n' "$*"; }
# same WANT GOT WHAT
same() { [ "$1" = "$2" ] || fail "$3 is $2, not $1"; }

command -v buildah >/dev/null || fail 'buildah is missing (apt-get install buildah)'
scratch=$(mktemp -d)
running=
finish() {
	if [ -n "$running" ]; then kill "$running" 2>/dev/null || true; fi
	buildah rm --all >/dev/null 2>&1 || true
	rm -rf "$scratch"
}
trap finish EXIT

# Images and containers of this run only, and no namespaces that CI may lack.
export CONTAINERS_STORAGE_CONF=$scratch/storage.conf BUILDAH_ISOLATION=chroot
cat >"$CONTAINERS_STORAGE_CONF" <<TEXT
[storage]
driver = "vfs"
graphroot = "$scratch/images"
runroot = "$scratch/run"
TEXT

say 'the stand-ins of the bases'
base=$(buildah from scratch)
mkdir -p "$scratch/base/etc/ssl/certs" "$scratch/base/tmp"
chmod 1777 "$scratch/base/tmp"
echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$scratch/base/etc/passwd"
cp /etc/ssl/certs/ca-certificates.crt "$scratch/base/etc/ssl/certs/"
buildah copy -q "$base" "$scratch/base" / >/dev/null
buildah commit -q "$base" localhost/base >/dev/null
compiler=$(buildah from --pull-never localhost/base)
buildah config --env "PATH=$(go env GOROOT)/bin:/usr/bin:/bin" --env GOFLAGS= --env "GOPROXY=off" \
	--env "GOMODCACHE=$(go env GOMODCACHE)" --env "GOCACHE=$(go env GOCACHE)" "$compiler"
buildah commit -q "$compiler" localhost/go >/dev/null

say 'Dockerfile.prebuilt, by the script'
own=$(go env GOHOSTARCH)
scripts/build-precompiled-docker.sh --arch "$own" --version v0.0.1 --base localhost/base --tag localhost/prebuilt

say Dockerfile
# GOPROXY=off: what it needs is in this machine's module cache once the programs are built.
mounts=()
for folder in /usr /bin /lib /lib64 "$(go env GOROOT)" "$(go env GOMODCACHE)" "$(go env GOCACHE)"; do
	if [ -e "$folder" ]; then mounts+=(--volume "$folder:$folder"); fi
done
buildah build --format docker "${mounts[@]}" --build-arg GO_IMAGE=localhost/go --build-arg BASE_IMAGE=localhost/base \
	--build-arg VERSION=v0.0.2 --build-arg "TARGETARCH=$own" -t localhost/multistage .

# try IMAGE VERSION
try() {
	local image=$1 version=$2 container log=$scratch/log port config
	say "run $image"
	container=$(buildah from --pull-never "$image")
	config=$(buildah inspect --type image "$image" | jq -c .Docker.config)
	same 65532:65532 "$(jq -r .User <<<"$config")" 'the user'
	same '["/usr/local/bin/berry-api"]' "$(jq -c .Entrypoint <<<"$config")" 'the entry point'
	same '["CMD","/usr/local/bin/berry-api","--healthcheck"]' "$(jq -c .Healthcheck.Test <<<"$config")" 'the health check'
	same '{"3000/tcp":{}}' "$(jq -c .ExposedPorts <<<"$config")" 'the ports'
	same '{}' "$(jq -c '.Volumes // {}' <<<"$config")" 'the volumes'
	same 2 "$(find "$(buildah mount "$container")"/usr -type f | wc -l)" 'the number of files'

	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	# In a chroot the network is the machine's own: another port, loopback only.
	inside() { buildah run --env "BIND_ADDRESS=127.0.0.1:$port" --volume "$scratch/config:/app:ro" "$container" -- "$@"; }
	rm -rf "$scratch/config" && mkdir "$scratch/config"
	same "berry-api $version" "$(inside /usr/local/bin/berry-api --version)" 'the version'
	same "\"$version\"" "$(inside /usr/local/bin/berry-cli version --json | jq .version)" "berry-cli's version"
	if timeout 60 buildah run "$container" -- /usr/local/bin/berry-api >"$log" 2>&1; then fail 'it starts without a configuration'; fi
	grep -q '/app/config.toml' "$log" || fail "it does not say where the configuration was looked for: $(cat "$log")"
	if inside /usr/local/bin/berry-api --healthcheck >/dev/null 2>&1; then fail 'healthy, and nothing runs'; fi

	cp deploy/package/config.toml "$scratch/config/config.toml"
	echo 'berry-images-canary-23-token' >"$scratch/config/admin-token"
	# Readable for the image's user and nobody else, as docs/DOCKER_BUILD.md has it.
	chown 65532 "$scratch/config"/*
	chmod 0400 "$scratch/config"/*
	inside /usr/local/bin/berry-cli validate-config
	inside /usr/local/bin/berry-api >"$log" 2>&1 &
	running=$!
	for _ in $(seq 100); do
		if inside /usr/local/bin/berry-api --healthcheck >/dev/null 2>&1; then break; fi
		sleep 0.1
	done
	inside /usr/local/bin/berry-api --healthcheck
	same 200 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer berry-images-canary-23-token' \
		"http://127.0.0.1:$port/v1/models")" 'the answer to a user'
	same 65532 "$(stat -c %u "/proc/$(server)")" 'the user that it runs as'
	kill -TERM "$(server)"
	wait "$running" || fail "it ended with status $?"
	running=
	grep -q 'Berry API stopped' "$log" || fail 'it did not drain'
	buildah rm "$container" >/dev/null
}

# server prints the process id of the server in the container that runs.
server() {
	local process=$running child
	while child=$(pgrep -P "$process"); do process=$child; done
	printf '%s\n' "$process"
}

try localhost/prebuilt v0.0.1
try localhost/multistage v0.0.2
say 'all good'
