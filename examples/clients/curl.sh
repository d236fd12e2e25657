#!/usr/bin/env bash
# Berry with curl: the models, a chat, a stream, and errors told apart.
#
#   BERRY_TOKEN=... ./curl.sh
#
# BERRY_URL is where Berry listens, http://127.0.0.1:3000 unless set; BERRY_MODEL the model to ask, the first one of
# the list unless set.
set -euo pipefail

url=${BERRY_URL:-http://127.0.0.1:3000}
token=${BERRY_TOKEN:?set it to a token of a user of Berry}
auth=(-H "Authorization: Bearer $token")
json=(-H 'Content-Type: application/json')

echo '== models'
models=$(curl -sS --fail-with-body "${auth[@]}" "$url/v1/models") || {
	echo "$models" # Berry says why
	exit 1
}
echo "$models"
model=${BERRY_MODEL:-$(sed -n 's/^[^[]*\[{[^}]*"id": *"\([^"]*\)".*/\1/p' <<<"$models")}

# body PROMPT STREAM is a request's body. The prompt must not need escaping in JSON.
body() {
	printf '{"model": "%s", "stream": %s, "messages": [{"role": "user", "content": "%s"}]}' "$model" "$2" "$1"
}

echo '== chat'
curl -sS --fail-with-body "${auth[@]}" "${json[@]}" "$url/v1/chat/completions" -d "$(body 'Say hello.' false)"
echo

echo '== stream'
# -N shows each event as it comes. The status came with the first one: a stream that breaks later says so in an event,
# and is not complete whatever comes after it.
curl -sSN --fail-with-body "${auth[@]}" "${json[@]}" "$url/v1/chat/completions" -d "$(body 'Count to ten.' true)" | {
	verdict=broken
	while IFS= read -r line; do
		case $line in
		'') continue ;;
		'data: {"error"'*) verdict=failed ;;
		'data: [DONE]'*) [ "$verdict" = failed ] || verdict=complete ;;
		esac
		echo "$line"
	done
	[ "$verdict" = complete ] || {
		echo 'the answer is not complete' >&2
		exit 1
	}
}

echo '== error'
# The status says what to do: 4xx is for you to mend, except 429; 429 and 503 say in Retry-After when to come back.
answer=$(curl -sS -w '\n%{http_code}' "${auth[@]}" "${json[@]}" "$url/v1/chat/completions" \
	-d '{"model": "no-such-model", "messages": [{"role": "user", "content": "Hello"}]}')
status=${answer##*$'\n'}
echo "status $status: ${answer%$'\n'*}"
[ "$status" = 404 ]
