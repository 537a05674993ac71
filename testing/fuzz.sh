#!/bin/sh
# Runs every fuzz target for FUZZTIME (default 10s). A target fails with the
# input that broke it, where it has no seed, or where nothing was run; Go's own
# "context deadline exceeded" at the end of the time, with no such input, is no
# failure of the target.
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
count=0
fail() {
	cat "$log"
	echo "$target: $1" >&2
	exit 1
}
for file in $(grep -rl --include='*_test.go' '^func Fuzz' -- * | sort); do
	# shellcheck disable=SC2013 # words are what they are
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file"); do
		go test "./$(dirname "$file")" -count=1 -v -run "^$target\$" >"$log" 2>&1 || fail 'a seed fails'
		seeds=$(grep -c "^=== RUN  *$target/" "$log" || true)
		[ "$seeds" -gt 0 ] || fail 'it has no seed'
		for limit in "${FUZZTIME:-10s}" 60s 180s; do # a busy machine may need the first for the inputs in Go's cache
			if ! go test "./$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "$limit" -fuzzminimizetime 10x >"$log" 2>&1 &&
				{ grep -q 'Failing input' "$log" || ! grep -q 'context deadline exceeded' "$log"; }; then
				fail 'it fails'
			fi
			execs=$(grep -o 'execs: [0-9]*' "$log" | tail -n 1)
			ran=${execs#execs: }
			[ "${ran:-0}" -eq 0 ] || break
		done
		[ "${ran:-0}" -gt 0 ] || fail 'nothing was run'
		count=$((count + 1))
		printf '%-34s %s (%s seeds)\n' "$target" "$execs" "$seeds"
	done
done
[ "$count" -gt 0 ] || { echo 'fuzz: there is no target' >&2 && exit 1; }
echo "$count fuzz targets, ${FUZZTIME:-10s} each"
