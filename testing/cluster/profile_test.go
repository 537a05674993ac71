package cluster_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// profile is a deployment under test, in a namespace of its name that enforces
// the restricted Pod Security profile.
type profile struct {
	name    string
	series  string // of Mosquitto
	config  string
	uid     int    // of the namespace, as OpenShift gives it; 0 elsewhere
	split   bool   // the listener with TLS has a Service of its own
	volume  bool   // it asks for one
	role    string // of the broker that the tests harm
	address string // that a load balancer gives it
	tests   []func(*testing.T, broker)
}

var profiles = []profile{
	{
		name:    "openshift",
		address: "10.88.77.200",
		config:  "deploy: {namespace: NAMESPACE, host: HOST}\n",
		uid:     rangeBegin,
		split:   true,
		tests:   []func(*testing.T, broker){assignedUID, clusterIP, nodePorts, balanced, routed, killed, stopped},
	}, {
		name:   "openshift-kept",
		config: "deploy: {namespace: NAMESPACE, host: HOST, storage: {size: 1Gi}}\n",
		uid:    rangeBegin,
		split:  true,
		volume: true,
		tests:  []func(*testing.T, broker){assignedUID, kept},
	}, {
		name:    "loadbalancer",
		address: "10.88.77.201",
		config:  "deploy: {profile: loadbalancer, namespace: NAMESPACE, host: HOST}\n",
		volume:  true,
		tests:   []func(*testing.T, broker){ownUID, clusterIP, nodePorts, balanced, published, kept, killed, stopped},
	}, {
		name:    "ha",
		address: "10.88.77.202",
		config:  "deploy: {profile: ha, namespace: NAMESPACE, host: HOST}\n",
		role:    "primary",
		tests:   []func(*testing.T, broker){ownUID, apart, guarded, clusterIP, nodePorts, balanced, published, bridged, leastPrivilege, switched, relieved(unix.SIGKILL), relieved(unix.SIGSTOP), rolled},
	}, {
		name:   "ha-route",
		config: "deploy: {profile: ha, ingress: route, namespace: NAMESPACE, host: HOST}\n",
		uid:    rangeBegin,
		role:   "primary",
		tests:  []func(*testing.T, broker){assignedUID, apart, guarded, routed, routedEach, bridged, relieved(unix.SIGKILL), routed},
	},
}

// TestProfiles deploys each with Mosquitto 2.0, or the series that
// MOSQBUILD_CLUSTER_SERIES names.
func TestProfiles(t *testing.T) {
	rig(t)
	for series := range strings.FieldsSeq(cmp.Or(os.Getenv("MOSQBUILD_CLUSTER_SERIES"), "2.0")) {
		t.Run(series, func(t *testing.T) {
			for _, p := range profiles {
				t.Run(p.name, func(t *testing.T) {
					t.Parallel() // most of the time goes by in waiting
					b := deploy(t, p.of(series))
					b.rolledOut(t)
					for _, test := range append(p.tests, discreet, ofSeries) {
						test(t, b)
						if t.Failed() {
							return
						}
					}
					kubectl(t, b.Cluster, "delete", "namespace", b.namespace, "--wait=false")
				})
			}
		})
	}
}

// of is the profile with a broker of that series, beside those of others.
func (p profile) of(series string) profile {
	p.series = series
	if series != "2.0" {
		p.name += "-" + strings.ReplaceAll(series, ".", "")
		p.config = fmt.Sprintf("mosquitto: %q\n%s", series, p.config)
		p.address = strings.Replace(p.address, ".77.", ".78.", 1)
	}
	return p
}

// The broker is of the series that the configuration names. A readiness probe of the
// container before this one may still take it out of its Service for a moment.
func ofSeries(t *testing.T, b broker) {
	want, got := "mosquitto version "+b.series+".", ""
	eventually(t, "answer", soon, func() bool {
		var err error
		got, err = try(b.client(t, "mosquitto_sub", "mosquitto", "1883", "-t", "$SYS/broker/version", "-C", "1", "-W", "5"))
		return err == nil
	})
	if !strings.HasPrefix(got, want) {
		t.Errorf("it says that it is %q, want %q", got, want)
	}
}

// The broker runs as the namespace's uid, with root's group.
func assignedUID(t *testing.T, b broker) { runsAs(t, b, rangeBegin, 0, rangeBegin) }

// The broker runs as the profile's own uid and gid.
func ownUID(t *testing.T, b broker) { runsAs(t, b, 568, 568, 568) }

// runsAs looks at the process itself: whose it is, and what it may.
func runsAs(t *testing.T, b broker, uid, gid, fsGroup int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.process(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("Uid:\t%d\t", uid), fmt.Sprintf("Gid:\t%d\t", gid), fmt.Sprintf("Groups:\t.*%d", fsGroup),
		"CapEff:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n",
	} {
		if !regexp.MustCompile(want).Match(status) {
			t.Errorf("its process has no %q:\n%s", want, status)
		}
	}
}

// Its Services answer on every node, by address and, for the certificate, name.
func clusterIP(t *testing.T, b broker) {
	for _, node := range b.Nodes {
		b.probe(t, node, b.service(t, "mosquitto"), "--tls-port", "0")
		b.probe(t, node, b.service(t, b.tls()), "--port", "0", "--servername", b.tls()+"."+b.namespace+".svc")
	}
	// By name, as from a pod.
	b.probe(t, b.Nodes[0], b.tls()+"."+b.namespace+".svc."+cluster.Domain, "--port", "0")
}

func nodePorts(t *testing.T, b broker) {
	for _, service := range []string{"mosquitto", b.tls()} {
		b.kubectl(t, "patch", "service", service, "--patch", `{"spec":{"type":"NodePort"}}`)
	}
	for _, node := range b.Nodes {
		b.probe(t, cluster.Outside, b.Address(node), "--port", b.nodePort(t, "mosquitto", "mqtt"), "--tls-port", "0")
		b.probe(t, cluster.Outside, b.Address(node), "--port", "0", "--tls-port", b.nodePort(t, b.tls(), "mqtts"), "--servername", b.host)
	}
}

// An address that a load balancer announces leads to the broker from outside.
func balanced(t *testing.T, b broker) {
	b.kubectl(t, "patch", "service", b.tls(), "--patch", `{"spec":{"type":"LoadBalancer"}}`)
	if err := b.Balance(t.Context(), b.namespace, b.tls(), b.address, b.Nodes[1]); err != nil {
		t.Fatal(err)
	}
	b.probe(t, cluster.Outside, b.address, "--port", "0", "--servername", b.host)
}

// What external-dns publishes is the name in the certificate.
func published(t *testing.T, b broker) { b.probe(t, cluster.Outside, b.host) }

// The router passes TLS through by its server name, both ways, and nothing else.
func routed(t *testing.T, b broker) {
	b.kubectl(t, "wait", "--for", `jsonpath={.status.ingress[0].conditions[0].type}=Admitted`, "route/mosquitto", "--timeout", "60s")
	eventually(t, "router", soon, func() bool {
		_, err := try(b.through(t, "mosquitto_pub", "-t", "routed", "-m", "by name", "-r", "-q", "1"))
		return err == nil
	})
	if got := run(t, b.through(t, "mosquitto_sub", "-t", "routed", "-C", "1", "-W", "30")); got != "by name" {
		t.Errorf("through the Route comes %q", got)
	}
	b.probe(t, cluster.Outside, b.host, "--port", "0", "--tls-port", "443")
	if b.tryProbe(t, cluster.Outside, b.Address(cluster.Outside), "--port", "0", "--tls-port", "443", "--servername", "localhost") == nil {
		t.Error("another server name leads to the broker")
	}
}

// Each broker of a pair has a host of its own, whose Route leads to it: the
// secondary alone tells of its bridge.
func routedEach(t *testing.T, b broker) {
	b.ready(t)
	for role, tells := range map[string]bool{config.RolePrimary: false, config.RoleSecondary: true} {
		there := b.to(config.Config{Deploy: config.Deploy{Host: b.host}}.BrokerHost(role))
		eventually(t, "Route of the "+role, soon, func() bool {
			_, err := try(there.through(t, "mosquitto_pub", "-t", "routed", "-m", role, "-q", "1"))
			return err == nil
		})
		within := map[bool]string{true: "30", false: "3"}[tells]
		if _, err := try(there.through(t, "mosquitto_sub", "-t", "$SYS/broker/connection/+/state", "-C", "1", "-W", within)); (err == nil) != tells {
			t.Errorf("the Route of the %s leads to another broker: %v", role, err)
		}
	}
}

// Killed, the broker is back at once.
func killed(t *testing.T, b broker) {
	t.Logf("Ready %s after SIGKILL", b.signal(t, unix.SIGKILL, soon).Round(10*time.Millisecond))
	b.probe(t, b.Nodes[0], b.service(t, "mosquitto"), "--tls-port", "0")
}

// Stopped, it still accepts connections; the probes find out, and restart it.
func stopped(t *testing.T, b broker) {
	t.Logf("Ready %s after SIGSTOP", b.signal(t, unix.SIGSTOP, 3*time.Minute).Round(100*time.Millisecond))
	if !strings.Contains(b.kubectl(t, "get", "events"), "Liveness probe failed") {
		t.Error("no event tells of the liveness probe")
	}
	b.probe(t, b.Nodes[0], b.service(t, "mosquitto"), "--tls-port", "0")
}

// What is older than the last save outlives a kill, and the pod.
func kept(t *testing.T, b broker) {
	run(t, b.client(t, "mosquitto_pub", "mosquitto", "1883", "-t", "kept", "-m", "value", "-r"))
	sent := time.Now()
	saved := eventually(t, "save of the broker's", time.Minute, func() bool {
		info, err := os.Stat(filepath.Join(b.data, "mosquitto.db"))
		return err == nil && info.ModTime().After(sent)
	})
	t.Logf("saved after %s", saved.Round(time.Second))
	b.signal(t, unix.SIGKILL, soon)
	b.retained(t, "mosquitto", "1883", "kept", "value")

	old := b.pods(t)[0].Metadata.Name
	b.kubectl(t, "delete", "pod", old, "--grace-period=0", "--force")
	b.rolledOut(t)
	if now := b.pods(t)[0].Metadata.Name; now == old {
		t.Errorf("pod %s is still there", old)
	}
	b.retained(t, "mosquitto", "1883", "kept", "value")
}
