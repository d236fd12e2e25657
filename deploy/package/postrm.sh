#!/bin/sh
# After the files are gone. Purging removes what the service had: its tokens and
# keys, its log and its user.
set -e

if [ "$1" = purge ]; then
	rm -rf /etc/berry-api /var/log/berry-api
	if getent passwd berry-api >/dev/null && command -v deluser >/dev/null; then
		# One that still runs something stays, which is no reason to fail.
		deluser --quiet --system berry-api || echo 'berry-api: the user berry-api stays' >&2
	fi
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
