# make demo and make test each do their own set-up; the rest is for working on
# the project.
SHELL := /bin/sh
export CGO_ENABLED ?= 0

TOOL := go tool -modfile=testing/tools/go.mod
# What builds packages from source, and what the tests run against.
BUILD_DEBS := gcc libc6-dev make dpkg-dev xz-utils perl patch linux-libc-dev
# The same for the other architecture.
CROSS_DEBS := gcc-aarch64-linux-gnu linux-libc-dev-arm64-cross
RUN_DEBS := podman runc conmon netavark aardvark-dns uidmap slirp4netns fuse-overlayfs mosquitto-clients ca-certificates curl
TEST_DEBS := $(BUILD_DEBS) $(CROSS_DEBS) $(RUN_DEBS) mosquitto skopeo umoci buildah docker-registry openssl iproute2 qemu-user faketime apache2-utils gpg gpg-agent prometheus procps
# What the nodes of a cluster run, and the router in front of it.
CLUSTER_DEBS := containerd runc containernetworking-plugins iproute2 nftables conntrack procps util-linux haproxy iputils-ping mosquitto-clients ca-certificates

.PHONY: build full demo demo-stop test fuzz soak lint bench clean cluster-up cluster-down test-cluster chaos

build: bin/mosqbuild bin/mosqagent full

# mosqagent beside it is what "image build --component agent" puts into an image.
bin/mosqbuild bin/mosqagent: FORCE
	go build -trimpath -ldflags '-s -w' -o $@ ./cmd/$(@F)

# bin/mosqbuild with buildah, for "image build --engine buildah". It is another
# file since it isn't static, is larger, and initialises half as much again.
BUILDAH_TAGS := buildah,containers_image_openpgp,exclude_graphdriver_btrfs
full: ## bin/mosqbuild-full, where there is a C compiler
	@if command -v gcc >/dev/null; then $(MAKE) -s bin/mosqbuild-full; else \
	  echo "gcc is not installed: bin/mosqbuild-full, with the engine buildah, is left out" >&2; fi
bin/mosqbuild-full: FORCE
	CGO_ENABLED=1 go build -trimpath -ldflags '-s -w' -tags $(BUILDAH_TAGS) -o $@ ./cmd/mosqbuild
FORCE:

demo: ## build an image, run it, use it, push it, print its manifests
	@testing/install.sh $(RUN_DEBS) docker-registry
	@BUILD_DEBS="$(BUILD_DEBS)" testing/demo.sh

demo-stop: ## end the broker that the demo left running
	@testing/demo.sh stop

test: lint ## every test, the end-to-end ones included
	@testing/install.sh $(TEST_DEBS)
	@testing/test.sh

fuzz: ## every reader of foreign bytes, FUZZTIME (10s) each
	@testing/fuzz.sh

cluster-up: ## a real Kubernetes cluster on this machine, as root; CLUSTER="--nodes 3"
	@testing/install.sh $(CLUSTER_DEBS)
	go run ./testing/cluster/cmd up $(CLUSTER)

cluster-down: ## take it down, and whatever was left of others
	go run ./testing/cluster/cmd down

test-cluster: bin/mosqbuild bin/mosqagent ## what is rendered, on a real cluster; SERIES="2.0 2.1" of Mosquitto (default: 2.0)
	@testing/install.sh $(BUILD_DEBS) $(CLUSTER_DEBS)
	@testing/retry.sh bin/mosqbuild packages build >/dev/null
	@[ -z "$(filter 2.1,$(SERIES))" ] || testing/retry.sh bin/mosqbuild packages build --mosquitto 2.1 >/dev/null
	@testing/retry.sh go run ./testing/cluster/cmd binaries >/dev/null
	@[ -z "$$CI" ] || export MOSQBUILD_REQUIRE=1; MOSQBUILD_CLUSTER=1 MOSQBUILD_CLUSTER_SERIES="$(SERIES)" go test -count=1 -timeout 45m -v ./testing/cluster/...

chaos: bin/mosqbuild bin/mosqagent ## every fault on a real cluster, timed; CHAOS=short is five minutes of it, CHAOS=2h more
	@testing/install.sh $(BUILD_DEBS) $(CLUSTER_DEBS)
	@testing/retry.sh bin/mosqbuild packages build >/dev/null
	go run ./testing/chaos $(if $(filter short full,$(CHAOS)),--profile $(CHAOS),$(if $(CHAOS),--duration $(CHAOS)))

soak: bin/mosqbuild ## what CI does in small, for hours: MODEL_STEPS of the failover's simulation, MIRROR_KILLS mirrors, fuzzing for FUZZTIME a target
	@testing/install.sh $(TEST_DEBS)
	@testing/retry.sh bin/mosqbuild packages build >/dev/null
	@testing/soak.sh

lint:
	@unformatted=$$(gofmt -l .) && test -z "$$unformatted" || { echo "gofmt these: $$unformatted" >&2; exit 1; }
	go vet ./...
	$(TOOL) staticcheck ./...

bench: bin/mosqbuild ## times and sizes against peers, as ratios of one run; BENCH="--format markdown"
	@testing/install.sh $(TEST_DEBS)
	@testing/retry.sh bin/mosqbuild packages build >/dev/null
	go run ./testing/bench $(BENCH)

clean:
	rm -rf bin
