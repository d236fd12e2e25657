#!/bin/sh
# After the files are there: the service's user, who may read the configuration
# and not change it, and a first token.
set -e

if [ "$1" != configure ]; then
	exit 0
fi

if ! getent passwd berry-api >/dev/null; then
	adduser --quiet --system --group --home /nonexistent --no-create-home --shell /usr/sbin/nologin berry-api
fi
chgrp berry-api /etc/berry-api /etc/berry-api/config.toml

token=/etc/berry-api/admin-token
if [ ! -e "$token" ]; then
	(umask 077 && berry-cli generate-token | head -n 1 >"$token.new")
	chgrp berry-api "$token.new"
	chmod 0640 "$token.new"
	mv "$token.new" "$token"
fi

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	if [ -n "$2" ]; then
		# An update: a service that runs gets the new program, one that does not stays off.
		systemctl try-restart berry-api.service
	fi
fi
if [ -z "$2" ]; then
	echo 'berry-api: put your keys into /etc/berry-api/berry-api.env, then: systemctl enable --now berry-api'
fi
