#!/usr/bin/env bash
# Replaces a user's token or a provider's key in a configuration, safely.
set -euo pipefail
umask 077

usage() {
	cat <<'TEXT'
Usage: scripts/rotate-api-keys.sh user ID [flags]
       scripts/rotate-api-keys.sh provider ID [flags] < FILE-WITH-THE-NEW-KEY

user makes a new random token for [users.ID] and prints it, once and nothing else, to standard
output. Where the configuration held the token itself it now holds its SHA-256.
provider reads a new key from standard input and puts it where [providers.ID] has the old one.
A secret in a file (token_file, api_key_file) is replaced in that file.

  -c, --config FILE   the configuration; else CONFIG_PATH, else ./config.toml
  --pid PID           then let the server with this process id load it (SIGHUP)
  --url URL           then let the server at URL load it, with the admin's token that the variable
                      BERRY_ADMIN_TOKEN holds, and see that a new user's token is taken
  --help              print this

Nothing changes unless the new configuration is valid. What was there before stays beside it as
FILE.TIME.bak, readable for its owner only: delete it when all is well. A running server notices a
changed configuration by itself; a changed secret file alone it does not, so give --pid or --url.
berry-cli is taken from the variable BERRY_CLI, the PATH, or this checkout.
TEXT
}

say() { printf 'rotate: %s\n' "$*" >&2; }
fail() {
	say "$*"
	exit 1
}
wrong() {
	usage >&2
	exit 2
}

case ${1:-} in
--help | -h)
	usage
	exit 0
	;;
user | provider) [ $# -ge 2 ] || wrong ;;
*) wrong ;;
esac
what=$1
id=$2
shift 2
config=${CONFIG_PATH:-config.toml}
pid=
url=
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || wrong
	case $1 in
	-c | --config) config=$2 ;;
	--pid) pid=$2 ;;
	--url) url=${2%/} ;;
	*) wrong ;;
	esac
	shift 2
done
[ -f "$config" ] || fail "there is no $config"
[ -z "$url" ] || [ -n "${BERRY_ADMIN_TOKEN:-}" ] || fail '--url needs the variable BERRY_ADMIN_TOKEN'

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -n "${BERRY_CLI:-}" ]; then
	cli=("$BERRY_CLI")
elif command -v berry-cli >/dev/null; then
	cli=(berry-cli)
elif [ -x "$here/bin/berry-cli" ]; then
	cli=("$here/bin/berry-cli")
else
	cli=(go -C "$here" run ./cli/cmd/berry-cli)
fi
config=$(cd "$(dirname "$config")" && pwd)/$(basename "$config")
validate() { "${cli[@]}" validate-config --no-color -c "$1" >&2; }
validate "$config" || fail 'the configuration is not valid as it is: mend it first'

# The line in the table that holds the secret: number, key and value.
if [ "$what" = user ]; then
	table=users
	keys='token|token_sha256|token_file'
else
	table=providers
	keys='api_key|api_key_file'
fi
found=$(ID=$id awk -v table="$table" -v keys="^[ \t]*($keys)[ \t]*=" '
	/^[ \t]*\[/ {
		header = $0
		gsub(/[ \t"\047]/, "", header)
		sub(/#.*/, "", header)
		inside = header == "[" table "." ENVIRON["ID"] "]"
		next
	}
	inside && $0 ~ keys { print NR ":" $0 }
' "$config")
[ -n "$found" ] || fail "[$table.$id] has none of $keys on a line of its own in $config"
[ "$(wc -l <<<"$found")" = 1 ] || fail "[$table.$id] has more than one of $keys"
line=${found%%:*}
[[ ${found#*:} =~ ^[[:space:]]*([a-z0-9_]+)[[:space:]]*=[[:space:]]*[\"\']([^\"\']*)[\"\'][[:space:]]*(#.*)?$ ]] ||
	fail "line $line of $config is not of the form NAME = \"TEXT\": change it by hand"
key=${BASH_REMATCH[1]}
value=${BASH_REMATCH[2]}
comment=${BASH_REMATCH[3]}
if [[ $value == *'$'* && $key != token_sha256 ]]; then
	fail "$table.$id.$key in line $line is made from a variable: change it where that is set, and restart the server"
fi

# The new secret.
if [ "$what" = user ]; then
	made=$("${cli[@]}" generate-token)
	secret=$(sed -n 1p <<<"$made")
	hash=$(sed -n 2p <<<"$made")
else
	[ ! -t 0 ] || say 'the new key, and Ctrl-D:'
	secret=$(cat)
	[[ $secret =~ ^[A-Za-z0-9._~+/=:-]+$ ]] || fail 'standard input is not one key: it is empty, or has white space or other odd characters'
fi

stamp=$(date -u +%Y%m%dT%H%M%SZ)
# replace FILE: what is in FILE.new takes its place, with its owner and mode; the old one stays as a backup.
replace() {
	cp -p "$1" "$1.$stamp.bak"
	chmod 600 "$1.$stamp.bak"
	mv "$1.new" "$1"
	say "$1 is changed; what it was: $1.$stamp.bak"
}
# same_rights FILE makes an empty FILE.new with FILE's owner and mode, before a secret is in it.
same_rights() {
	cp -p "$1" "$1.new"
	: >"$1.new"
	trap 'rm -f "$target.new"' EXIT
}

case $key in
*_file)
	target=$value
	[[ $target == /* ]] || target=$(dirname "$config")/$target
	[ -f "$target" ] || fail "there is no $target"
	same_rights "$target"
	printf '%s\n' "$secret" >"$target.new"
	replace "$target"
	# The file is in its place already: the server must be able to read it and take it.
	validate "$config" || {
		cp -p "$target.$stamp.bak" "$target"
		fail "with the new secret the configuration is not valid: the old one is back"
	}
	;;
*)
	target=$config
	if [ "$what" = user ]; then new=$hash; else new="api_key = \"$secret\""; fi
	same_rights "$target"
	NEW="$new${comment:+ $comment}" awk -v line="$line" 'NR == line { print ENVIRON["NEW"]; next } { print }' "$config" >"$target.new"
	validate "$target.new" || fail 'the new configuration is not valid: nothing was changed'
	replace "$target"
	;;
esac

# curl's arguments are seen by everybody on the machine: the token goes by a pipe.
ask() { curl -sS -o /dev/null -w '%{http_code}' -K <(printf 'header = "Authorization: Bearer %s"\n' "$1") "${@:2}"; }
if [ -n "$pid" ]; then
	kill -HUP "$pid" || fail "cannot signal process $pid: the new secret is in its file, and not loaded"
	say "process $pid was told to load it; its log says what came of it"
fi
if [ -n "$url" ]; then
	status=$(ask "$BERRY_ADMIN_TOKEN" -X POST "$url/admin/reload-config") || true
	[ "$status" = 200 ] || fail "$url answered the reload with status $status: the new secret is in its file, and not loaded"
	say "$url has loaded it"
	if [ "$what" = user ]; then
		status=$(ask "$secret" "$url/v1/models") || true
		[ "$status" = 200 ] || fail "$url answers the new token with status $status"
		say "$url takes the new token"
	fi
fi
if [ "$what" = user ]; then printf '%s\n' "$secret"; fi
