#!/usr/bin/env bash
# Asks a running Berry as good and bad callers, and checks each answer's status
# and code: who is let in, who is not, and what they are told.
set -euo pipefail

usage() {
	cat <<'TEXT'
Usage: scripts/test_auth.sh [--chat]

Needs the variable BERRY_TOKEN, a user's token. The others add checks:

  BERRY_URL             where Berry is; http://127.0.0.1:3000 unless set
  BERRY_ADMIN_URL       where its /admin is, with settings.admin_bind_address
  BERRY_ADMIN_TOKEN     an admin's token: /admin is open to it
  BERRY_DISABLED_TOKEN  the token of a disabled user: 403
  BERRY_FORBIDDEN_MODEL a model that BERRY_TOKEN may not use: 403
  BERRY_LIMITED_TOKEN   the token of a user whose limit is one request a minute: 429 from the second on
  BERRY_MODEL           the model for --chat; else the first of the list

--chat also sends one chat of a few tokens, which a provider may charge for.
The exit status is 0 when every answer was as it should be. Tokens are not printed.
TEXT
}

chat=no
case "${1:-}" in
'') ;;
--chat) chat=yes ;;
--help | -h)
	usage
	exit 0
	;;
*)
	usage >&2
	exit 2
	;;
esac
url=${BERRY_URL:-http://127.0.0.1:3000}
url=${url%/}
admin=${BERRY_ADMIN_URL:-$url}
admin=${admin%/}
token=${BERRY_TOKEN:-}
if [ -z "$token" ]; then
	usage >&2
	exit 2
fi

answer=$(mktemp)
headers=$(mktemp)
trap 'rm -f "$answer" "$headers"' EXIT
bad=0
checks=0

# call NAME TOKEN URL [curl's arguments]: leaves the answer in the two files and
# its status in $status. The token goes by a pipe, for arguments can be seen.
call() {
	local header=$1 key=$2 where=$3
	shift 3
	status=$(curl -sS --max-time 60 -o "$answer" -D "$headers" -w '%{http_code}' \
		-K <(if [ -n "$key" ]; then printf 'header = "%s%s"\n' "$header" "$key"; fi) "$@" "$where") || status='no answer'
}

# check STATUS CODE WHAT: of the last answer. CODE is that of the error, "" where there is none.
check() {
	local code
	code=$(sed -n 's/.*"code":"\([a-z_]*\)".*/\1/p' "$answer" | head -n 1)
	checks=$((checks + 1))
	if [ "$status" = "$1" ] && { [ "$1" = 200 ] || [ "$code" = "$2" ]; }; then
		printf '✅ %-58s %s %s\n' "$3" "$status" "$code"
	else
		printf '❌ %-58s %s %s, not %s %s\n' "$3" "$status" "$code" "$1" "$2"
		bad=$((bad + 1))
	fi
}
skip() { printf '   %-58s not asked: %s is not set\n' "$1" "$2"; }

ask='{"model":"%s","max_tokens":5,"messages":[{"role":"user","content":"Say hi."}]}'
bearer='Authorization: Bearer '

call "$bearer" '' "$url/livez"
check 200 '' 'the server is there'
call "$bearer" '' "$url/v1/models"
check 401 missing_api_key 'no token'
if ! grep -qi '^www-authenticate: bearer' "$headers"; then
	echo '❌ the answer does not say how to authenticate (WWW-Authenticate)'
	bad=$((bad + 1))
fi
call "$bearer" 'berry-surely-nobodys-token' "$url/v1/models"
check 401 invalid_api_key "a token that is nobody's"
call 'Authorization: Basic ' "$token" "$url/v1/models"
check 401 missing_api_key 'a token in another scheme than Bearer'
for header in "$bearer" 'x-api-key: ' 'api-key: '; do
	call "$header" "$token" "$url/v1/models"
	check 200 '' "the user's token, as ${header%%:*}"
done
model=${BERRY_MODEL:-$(sed -n 's/.*"data":\[{[^}]*"id":"\([^"]*\)".*/\1/p' "$answer")}
# shellcheck disable=SC2059 # the format is ours
call "$bearer" "$token" "$url/v1/chat/completions" -d "$(printf "$ask" surely-no-such-model)"
check 404 model_not_found 'a model that does not exist'
if [ -n "${BERRY_FORBIDDEN_MODEL:-}" ]; then
	# shellcheck disable=SC2059
	call "$bearer" "$token" "$url/v1/chat/completions" -d "$(printf "$ask" "$BERRY_FORBIDDEN_MODEL")"
	check 403 model_not_allowed 'a model that the user may not use'
else
	skip 'a model that the user may not use' BERRY_FORBIDDEN_MODEL
fi
if [ -n "${BERRY_DISABLED_TOKEN:-}" ]; then
	call "$bearer" "$BERRY_DISABLED_TOKEN" "$url/v1/models"
	check 403 user_disabled 'a disabled user'
else
	skip 'a disabled user' BERRY_DISABLED_TOKEN
fi
call "$bearer" '' "$admin/admin/system-stats"
check 401 missing_api_key '/admin without a token'
call "$bearer" "$token" "$admin/admin/system-stats"
if [ "$status" = 200 ]; then
	echo "   BERRY_TOKEN is an admin's: /admin is open to it"
else
	check 403 admin_required "/admin with a user's token"
fi
if [ -n "${BERRY_ADMIN_TOKEN:-}" ]; then
	call "$bearer" "$BERRY_ADMIN_TOKEN" "$admin/admin/system-stats"
	check 200 '' "/admin with an admin's token"
else
	skip "/admin with an admin's token" BERRY_ADMIN_TOKEN
fi
if [ -n "${BERRY_LIMITED_TOKEN:-}" ]; then
	for _ in 1 2; do
		# shellcheck disable=SC2059
		call "$bearer" "$BERRY_LIMITED_TOKEN" "$url/v1/chat/completions" -d "$(printf "$ask" "$model")"
	done
	check 429 rate_limit_exceeded 'more requests than the user may make'
	if ! grep -qi '^retry-after: [0-9]' "$headers"; then
		echo '❌ the answer does not say when to come back (Retry-After)'
		bad=$((bad + 1))
	fi
else
	skip 'more requests than the user may make' BERRY_LIMITED_TOKEN
fi
if [ "$chat" = yes ]; then
	# shellcheck disable=SC2059
	call "$bearer" "$token" "$url/v1/chat/completions" -d "$(printf "$ask" "$model")"
	check 200 '' "a chat with $model"
fi

if [ "$bad" != 0 ]; then
	printf '%d wrong, %d checks\n' "$bad" "$checks"
	exit 1
fi
printf 'all %d as they should be\n' "$checks"
