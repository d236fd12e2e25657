#!/usr/bin/env bash
# Shows how to see into Berry: runs the demo at level debug, sends a few
# requests, and for each shows what the log and the decision record say of it.
set -euo pipefail

usage() {
	cat <<'TEXT'
Usage: scripts/debug_demo.sh

Starts `berry-api --demo` on a free loopback port with BERRY_LOG=info,relay=debug,loadbalance=debug
(the variable BERRY_LOG changes that), asks it good and bad things, explains each by the log and by
`berry-cli explain`, and stops it. Needs curl and Go, no key and no network.
The programs are built into bin/, or taken from the folder that the variable BERRY_BIN names.
TEXT
}

case "${1:-}" in
'') ;;
--help | -h)
	usage
	exit 0
	;;
*)
	usage >&2
	exit 2
	;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=${BERRY_BIN:-}
if [ -z "$bin" ]; then
	go build -o bin/ ./api/cmd/berry-api ./cli/cmd/berry-cli
	bin=$PWD/bin
fi
say() { printf '\n== %s\n' "$*"; }

work=$(mktemp -d)
server=
finish() {
	if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
	rm -rf "$work"
}
trap finish EXIT
log=$work/log

export BERRY_LOG=${BERRY_LOG:-info,relay=debug,loadbalance=debug}
say "berry-api --demo with BERRY_LOG=$BERRY_LOG"
BIND_ADDRESS=127.0.0.1:0 "$bin/berry-api" --demo >"$log" 2>&1 &
server=$!
for _ in $(seq 300); do
	if grep -q 'Starting Berry API' "$log"; then break; fi
	kill -0 "$server" 2>/dev/null || break
	sleep 0.1
done
url=$(sed -n 's/^  Base URL  *\(.*\)\/v1$/\1/p' "$log")
token=$(sed -n 's/^  API key  *//p' "$log")
if [ -z "$url" ] || [ -z "$token" ]; then
	cat "$log"
	exit 1
fi
echo "it serves at $url"

# request WHAT TOKEN BODY: sends a chat and shows all that is known of it.
request() {
	local id
	say "$1"
	curl -sS --max-time 60 -D "$work/headers" -H "Authorization: Bearer $2" -H 'Content-Type: application/json' \
		-d "$3" "$url/v1/chat/completions" | cut -c 1-200 | sed -n '1,6p'
	echo
	id=$(sed -n 's/^[Xx]-[Rr]equest-[Ii]d: *\([^[:cntrl:]]*\).*/\1/p' "$work/headers")
	echo "-- what the log has of $id (grep $id):"
	# The log is written a moment after the answer.
	for _ in $(seq 100); do
		if grep -F "$id" "$log" | grep -qE 'Backend selected|Authentication failed'; then break; fi
		sleep 0.1
	done
	grep -F "$id" "$log" | cut -c 1-400
	if [ "$2" = "$token" ]; then
		echo '-- and why it went where it went (berry-cli explain):'
		BERRY_ADMIN_TOKEN=$token "$bin/berry-cli" explain --no-color --url "$url" "$id"
	fi
}

request 'a chat' "$token" '{"model":"demo-smart","messages":[{"role":"user","content":"Hello"}]}'
request 'a stream' "$token" '{"model":"demo-failover","stream":true,"messages":[{"role":"user","content":"Hello"}]}'
request 'a token that is nobody'"'"'s: refused before anything else' wrong-token \
	'{"model":"demo-smart","messages":[{"role":"user","content":"Hello"}]}'

say 'how each provider and backend does (berry-cli metrics --detailed)'
BERRY_ADMIN_TOKEN=$token "$bin/berry-cli" metrics --detailed --no-color --url "$url" || true
say 'what smart_ai thinks (GET /smart-ai/weights)'
curl -sS "$url/smart-ai/weights" | cut -c 1-600
echo
say 'the end: SIGTERM, and it drains'
kill -TERM "$server"
wait "$server"
server=
grep -E 'Draining|Berry API stopped' "$log"
