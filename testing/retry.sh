#!/bin/sh
# Runs a command that needs the network, up to three times: a mirror may not answer,
# or be about to change. Its output is that of the tries together.
set -eu
for pause in 10 60; do
	! "$@" || exit 0
	echo "trying again in $pause s: $*" >&2
	sleep "$pause"
done
exec "$@"
