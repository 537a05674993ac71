#!/bin/sh
# Installs the Debian packages named, where they are missing: as root by
# itself, otherwise by saying exactly what to type. Services that a package
# brings are not started.
set -eu
missing=
for package in "$@"; do
	dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "mosqbuild: this needs packages that are not installed; run:" >&2
	echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
	exit 1
fi
echo "installing:$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
for pause in 10 60 0; do # a mirror may not answer, or be about to change
	# shellcheck disable=SC2086 # a list of names
	if { apt-get -o Acquire::Retries=5 update && apt-get -o Acquire::Retries=5 -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $missing; } >"$log" 2>&1; then
		exit
	fi
	sleep "$pause"
done
tail -n 20 "$log" >&2
exit 1
