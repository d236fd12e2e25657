#!/bin/sh
# Before the files go: nothing may run any more.
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl disable --now berry-api.service
fi
