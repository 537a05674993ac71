#!/bin/sh
# Runs every test. The packages that the end-to-end suites need are built from
# source first, or found in the user's cache.
set -eu
cd "$(dirname "$0")/.."

CGO_ENABLED=0 go build ./...
CGO_ENABLED=1 go build ./...
make -s build
if command -v gcc >/dev/null; then
	tags=$(sed -n 's/^BUILDAH_TAGS := //p' Makefile)
	CGO_ENABLED=1 go vet -trimpath -tags "$tags" ./image/containerfile
	CGO_ENABLED=1 go test -trimpath -count=1 -tags "$tags" ./image/containerfile
else
	echo "gcc is not installed: the engine buildah is not tested" >&2
fi
testing/retry.sh bin/mosqbuild packages build >/dev/null
testing/retry.sh bin/mosqbuild packages build --mosquitto 2.1 >/dev/null
testing/retry.sh bin/mosqbuild packages build --arch arm64 >/dev/null
export MOSQBUILD_TEST_PACKAGES=1 # they are there now: look into them too
export MOSQBUILD_TEST_PEERS=1    # kustomize and kube-score, a minute each to build once

# Nothing that CI can install may be missing there without failing.
[ -z "${CI:-}" ] || export MOSQBUILD_REQUIRE=1
go tool -modfile=testing/tools/go.mod gotestsum --format "${GOTESTSUM_FORMAT:-pkgname}" -- -timeout 60m ./... "$@"
