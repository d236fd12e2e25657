#!/usr/bin/env bash
# Tries a Debian package on this machine: installs it, looks at what it put
# where, starts the installed server as the service's user, installs it again
# over a changed configuration, removes and purges it. It needs root and a
# machine where nobody minds, such as CI's; it refuses where Berry is installed.
#
#   deploy/package/try.sh PACKAGE.deb
set -euo pipefail

package=${1:?usage: deploy/package/try.sh PACKAGE.deb}
fail() {
	printf 'package: %s\n' "$*" >&2
	exit 1
}
say() { printf 'package: %s\n' "$*"; }
# same WANT GOT WHAT
same() { [ "$1" = "$2" ] || fail "$3 is $2, not $1"; }

[ "$(id -u)" = 0 ] || fail 'this needs root'
if getent passwd berry-api >/dev/null || [ -e /etc/berry-api ] || dpkg -s berry-api >/dev/null 2>&1; then
	fail 'Berry is installed here already'
fi

scratch=$(mktemp -d)
server=
finish() {
	if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
	if dpkg -s berry-api >/dev/null 2>&1; then dpkg --purge berry-api; fi
	rm -rf "$scratch"
}
trap finish EXIT

say install
dpkg --install "$package"

say files
mode() { stat -c '%a %U:%G' "$1"; }
same '755 root:root' "$(mode /usr/bin/berry-api)" berry-api
same '755 root:root' "$(mode /usr/bin/berry-cli)" berry-cli
same '644 root:root' "$(mode /lib/systemd/system/berry-api.service)" 'the unit'
same '750 root:berry-api' "$(mode /etc/berry-api)" 'the folder'
same '700 root:root' "$(mode /etc/berry-api/keys)" "the keys' folder"
same '640 root:berry-api' "$(mode /etc/berry-api/config.toml)" 'the configuration'
same '600 root:root' "$(mode /etc/berry-api/berry-api.env)" 'the environment file'
same '640 root:berry-api' "$(mode /etc/berry-api/admin-token)" "the administrator's token"
same '/usr/sbin/nologin' "$(getent passwd berry-api | cut -d: -f7)" "the user's shell"
same $'/etc/berry-api/berry-api.env\n/etc/berry-api/config.toml' \
	"$(dpkg-query -W -f '${Conffiles}\n' berry-api | awk 'NF { print $1 }' | sort)" 'the list of configuration files'
dpkg --verify berry-api
if command -v systemd-analyze >/dev/null; then
	systemd-analyze verify /lib/systemd/system/berry-api.service
	# Of the whole range from 0 to 10; below 2 is what systemd calls OK.
	systemd-analyze security --offline=true --threshold=20 /lib/systemd/system/berry-api.service | tail -n 1
fi

say start
# As the unit does it: the same user, variables and folder. Another port, since 3000 may be in use.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
service=(setpriv --reuid berry-api --regid berry-api --init-groups env -i
	CONFIG_PATH=/etc/berry-api/config.toml BIND_ADDRESS="127.0.0.1:$port" /usr/bin/berry-api)
"${service[@]}" --check-config
(cd /etc/berry-api && exec "${service[@]}") >"$scratch/log" 2>&1 &
server=$!
for _ in $(seq 100); do
	if "${service[@]}" --healthcheck >/dev/null 2>&1; then break; fi
	sleep 0.1
done
"${service[@]}" --healthcheck
status() { curl -s -o /dev/null -w '%{http_code}' "$@" "http://127.0.0.1:$port/admin/system-stats"; }
same 401 "$(status)" 'the answer without a token'
same 200 "$(status -H "Authorization: Bearer $(cat /etc/berry-api/admin-token)")" "the answer to the administrator's token"
if grep -qF "$(cat /etc/berry-api/admin-token)" "$scratch/log"; then fail 'the token is in the log'; fi
kill -TERM "$server"
wait "$server" || fail "the server ended with status $?"
server=
grep -q 'Berry API stopped' "$scratch/log" || fail 'the server did not say that it stopped'

say 'install again'
token=$(cat /etc/berry-api/admin-token)
echo '# mine' >>/etc/berry-api/config.toml
dpkg --install "$package"
tail -n 1 /etc/berry-api/config.toml | grep -qx '# mine' || fail 'the changed configuration is gone'
same "$token" "$(cat /etc/berry-api/admin-token)" "the administrator's token after an update"
same '640 root:berry-api' "$(mode /etc/berry-api/config.toml)" 'the configuration after an update'

say remove
dpkg --remove berry-api
[ ! -e /usr/bin/berry-api ] || fail 'the program stays after a removal'
[ -e /etc/berry-api/config.toml ] || fail 'a removal takes the configuration along'

say purge
dpkg --purge berry-api
[ ! -e /etc/berry-api ] || fail 'purging leaves the configuration'
if getent passwd berry-api; then fail 'purging leaves the user'; fi
say 'all good'
