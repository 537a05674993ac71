#!/bin/sh
# The main job, start to end, with the commands that a user types: packages,
# image, a running broker, both listeners used, a registry, manifests. The
# broker stays up to be tried by hand; "demo.sh stop" ends it.
set -eu
cd "$(dirname "$0")/.."

name="mosqbuild-demo"
port=${DEMO_PORT:-11883}
tls_port=${DEMO_TLS_PORT:-18883}
registry_port=${DEMO_REGISTRY_PORT:-15000}
work=$(pwd)/.mosqbuild/demo
mosqbuild=bin/mosqbuild
PATH=$PATH:/usr/sbin:/sbin
[ -d .mosqbuild ] || mkdir -m 0700 .mosqbuild

# Where root may not raise resource limits, podman needs a runtime that doesn't
# try, and storage of its own for it.
own=
if [ "$(id -u)" -eq 0 ] && [ $((0x$(sed -n 's/^CapEff:[^0-9a-f]*//p' /proc/self/status) >> 24 & 1)) -eq 0 ]; then
	go build -o .mosqbuild/podman/runtime ./testing/runtime
	eval "$(.mosqbuild/podman/runtime --configure .mosqbuild/podman)"
	own=.mosqbuild/podman
fi

stop() {
	podman rm -f "$name" >/dev/null 2>&1 || true
	[ ! -f "$work/registry.pid" ] || kill "$(cat "$work/registry.pid")" 2>/dev/null || true
	rm -rf "$work"
}
if [ "${1:-}" = stop ]; then
	stop
	[ -n "$own" ] || exit 0
	for pause in 1 2 5 10 0; do # podman may still be clearing up after the broker
		# Its storage is a mount, which would outlast the folder.
		if podman system reset --force >/dev/null 2>&1 && rm -rf "$own"; then exit 0; fi
		sleep "$pause"
	done
	exit 1
fi
stop
mkdir -p "$work"
table=$work/table
: >"$table"
trap '[ $? -eq 0 ] || { echo "demo: failed; shown until then:" >&2; cat "$table" >&2; stop; }' EXIT

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
shown() { printf '  %-34s %s\n' "$1" "$2" >>"$table"; }
seconds() { date +%s; }

say make bin/mosqbuild
began=$(seconds)
make bin/mosqbuild
shown "mosqbuild built" "$(($(seconds) - began)) s"

alpine=$("$mosqbuild" init --stdout | sed -n 's/^ *- \(https:.*\)$/\1/p')
if curl -fsI -m 3 -o /dev/null "$alpine/$(uname -m)/APKINDEX.tar.gz"; then
	from=
	shown "packages" "Alpine's, from $alpine"
else
	echo "demo: $alpine doesn't answer; building the packages from source instead"
	# shellcheck disable=SC2086 # a list of names
	testing/install.sh $BUILD_DEBS
	from=--local
	say mosqbuild packages build
	began=$(seconds)
	testing/retry.sh "$mosqbuild" packages build
	shown "packages" "built from source here, $(($(seconds) - began)) s"
fi

say mosqbuild image build $from
digest=$("$mosqbuild" image build $from)
shown "image" "$digest"

say mosqbuild run --detach --name $name --port "$port" --tls-port "$tls_port"
"$mosqbuild" run --detach --name "$name" --port "$port" --tls-port "$tls_port" >/dev/null
shown "runs as" "$(podman inspect -f '{{.Config.User}}, read-only root: {{.HostConfig.ReadonlyRootfs}}, capabilities: {{len .EffectiveCaps}}' "$name")"

say mosqbuild probe --port "$port" --tls-port "$tls_port"
code=0
"$mosqbuild" probe --port "$port" --tls-port "$tls_port" --timeout 30s >"$work/probe" || code=$?
cat "$work/probe"
[ "$code" -eq 0 ] || exit "$code"
shown "probe, both listeners" "$(grep -c ' ok ' "$work/probe") checks, all good"

say "mosquitto_sub and mosquitto_pub, 1883 to 8883"
export XDG_CONFIG_HOME=.mosqbuild/client
timeout 70 mosquitto_sub -p "$port" -t demo -C 1 -W 60 >"$work/received" &
sub=$!
while kill -0 "$sub" 2>/dev/null; do # a message before the subscription is lost
	mosquitto_pub -p "$tls_port" --cafile .mosqbuild/certs/ca.crt -t demo -m 'over TLS, to plain MQTT'
	sleep 1
done
wait "$sub"
cat "$work/received"
shown "published on TLS, received plain" "$(cat "$work/received")"
unset XDG_CONFIG_HOME

say mosqbuild image push "localhost:$registry_port/mosquitto:demo"
"$mosqbuild" passwd set --generate --format htpasswd --file "$work/htpasswd" pusher >"$work/password"
cat >"$work/registry.yml" <<CONF
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $work/registry}}
http: {addr: "127.0.0.1:$registry_port", tls: {certificate: .mosqbuild/certs/tls.crt, key: .mosqbuild/certs/tls.key}}
auth: {htpasswd: {realm: demo, path: $work/htpasswd}}
CONF
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
echo $! >"$work/registry.pid"
mkdir -p "$work/trust"
cp .mosqbuild/certs/ca.crt "$work/trust/"
tries=0
until curl -s -o /dev/null --cacert .mosqbuild/certs/ca.crt "https://localhost:$registry_port/v2/"; do
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] || { echo "demo: docker-registry doesn't answer:" >&2 && cat "$work/registry.log" >&2 && exit 1; }
	sleep 0.3
done
podman login --authfile "$work/auth.json" --cert-dir "$work/trust" -u pusher --password-stdin "localhost:$registry_port" <"$work/password"
pushed=$("$mosqbuild" image push --authfile "$work/auth.json" --cert-dir "$work/trust" "localhost:$registry_port/mosquitto:demo")
echo "$pushed"
shown "pushed, with TLS and a login" "$pushed"

say mosqbuild render
(umask 077 && "$mosqbuild" render --image "$pushed" >"$work/manifests.yaml")
# What a terminal or a log has shown is secret no more.
sed 's|^\(  [A-Za-z_.]*: \)[A-Za-z0-9+/=]\{40,\}$|\1(a secret, not shown here)|' "$work/manifests.yaml"
shown "manifests" "$(sed -n 's/^kind: //p' "$work/manifests.yaml" | sort | uniq -c | awk '{printf "%s%s %s", sep, $1, $2; sep = ", "}')"

kill "$(cat "$work/registry.pid")"
rm -f "$work/registry.pid"

printf '\nWhat was shown:\n'
cat "$table"
cat <<TRY

The broker is still up; try it by hand, and end it with "make demo-stop":

  XDG_CONFIG_HOME=.mosqbuild/client mosquitto_sub -p $port -t '#' -v
  XDG_CONFIG_HOME=.mosqbuild/client mosquitto_pub -p $tls_port --cafile .mosqbuild/certs/ca.crt -t hello -m world
TRY
