#!/bin/sh
# Runs for hours what CI runs for seconds: MODEL_STEPS (50000000) of the failover's
# simulation, MIRROR_KILLS (1000) mirrors that are killed, and every fuzz target for
# FUZZTIME (5m); and what takes too long to build there: cosign. Prints what it came to as a table; what goes
# wrong goes to stderr, and fails.
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export MOSQBUILD_REQUIRE=1
export MODEL_STEPS="${MODEL_STEPS:-50000000}" MIRROR_KILLS="${MIRROR_KILLS:-1000}" FUZZTIME="${FUZZTIME:-5m}"

printf '| what | came to |\n|---|---|\n'
go test -count=1 -timeout 3h -v ./testing/model >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
# Seeded bugs are to be found: what their runs came to is another matter.
awk '/^=== RUN/ { name = $3 } / steps in / && name !~ /SeededBugs/ { sub(/^ *[a-z_]*\.go:[0-9]*: /, ""); printf "| simulation, %s | %s |\n", name, $0 }
	/^ *--- PASS: TestSeededBugs\// { sub(/.*\//, ""); sub(/ \(.*/, ""); gsub(/_/, " "); printf "| simulation, seeded bug: %s | found |\n", $0 }' "$log"
go test -count=1 -timeout 6h -v -run '^TestKilledMirrorsGoOn$' ./testing/e2e >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
awk '/ mirrors, .* kills, / { sub(/^ *[a-z_]*\.go:[0-9]*: /, ""); printf "| mirrors killed and gone on with | %s |\n", $0 }' "$log"
export MOSQBUILD_TEST_SLOW_PEERS=1
go test -count=1 -timeout 2h -v -run 'Cosign' ./image >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
# A test that was skipped says nothing.
passed() { for name; do grep -q "^--- PASS: $name " "$log" || return 1; done; }
! passed TestCosignTakesOurSignature TestVerifyTakesCosignsSignature || printf '| cosign and image verify | each takes what the other signs |\n'
go test -count=1 -timeout 2h -v -run 'Syft' ./testing/e2e >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
! passed TestSyftListsTheSame || printf '| syft and our list of contents | name the same packages and modules |\n'
testing/fuzz.sh >"$log" || { cat "$log" >&2; exit 1; }
awk '$2 == "execs:" { printf "| %s, %s | %s inputs, none failed |\n", $1, ENVIRON["FUZZTIME"], $3 }' "$log"
