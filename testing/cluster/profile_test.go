package cluster_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// profiles are the deployments under test, each in a namespace that enforces
// the restricted Pod Security profile.
var profiles = []struct {
	name   string
	config string
	uid    int // of the namespace, as OpenShift gives it; 0 elsewhere
	tests  []func(*testing.T, broker)
}{
	{
		name:   "openshift",
		config: "deploy: {namespace: NAMESPACE, host: HOST}\n",
		uid:    rangeBegin,
		tests:  []func(*testing.T, broker){randomUID, clusterIP, nodePorts, balanced, routed, killed, stopped},
	},
}

func TestProfiles(t *testing.T) {
	rig(t)
	for _, p := range profiles {
		t.Run(p.name, func(t *testing.T) {
			b := deploy(t, p.name, p.config, p.uid)
			b.rolledOut(t)
			for _, test := range p.tests {
				test(t, b)
				if t.Failed() {
					return
				}
			}
		})
	}
}

// The broker runs as the namespace's uid, with root's group and no privilege.
func randomUID(t *testing.T, b broker) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.process(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("Uid:\t%d\t", rangeBegin), "Gid:\t0\t", fmt.Sprintf("Groups:\t.*%d", rangeBegin),
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
		b.probe(t, node, b.service(t, "mosquitto-tls"), "--port", "0", "--servername", "mosquitto-tls."+b.namespace+".svc")
	}
	// By name, as from a pod: outside has the cluster's resolver.
	b.probe(t, b.Nodes[0], "mosquitto-tls."+b.namespace+".svc."+cluster.Domain, "--port", "0")
}

func nodePorts(t *testing.T, b broker) {
	plain, tls := b.nodePort(t, "mosquitto"), b.nodePort(t, "mosquitto-tls")
	for _, node := range b.Nodes {
		address := b.Address(node)
		b.probe(t, cluster.Outside, address, "--port", plain, "--tls-port", "0")
		b.probe(t, cluster.Outside, address, "--port", "0", "--tls-port", tls, "--servername", b.host)
	}
}

// An address that a load balancer announces leads to the broker from outside.
func balanced(t *testing.T, b broker) {
	const address = "10.88.77.200"
	b.kubectl(t, "patch", "service", "mosquitto-tls", "--patch", `{"spec":{"type":"LoadBalancer"}}`)
	if err := b.Balance(t.Context(), b.namespace, "mosquitto-tls", address, b.Nodes[1]); err != nil {
		t.Fatal(err)
	}
	b.probe(t, cluster.Outside, address, "--port", "0", "--servername", b.host)
}

// The router passes TLS through by its server name, both ways, and nothing else.
func routed(t *testing.T, b broker) {
	b.kubectl(t, "wait", "--for", `jsonpath={.status.ingress[0].conditions[0].type}=Admitted`, "route/mosquitto", "--timeout", "20s")
	eventually(t, "router", soon, func() bool {
		_, err := try(b.through(t, "mosquitto_pub", "-t", "routed", "-m", "by name", "-r", "-q", "1"))
		return err == nil
	})
	if got := run(t, b.through(t, "mosquitto_sub", "-t", "routed", "-C", "1", "-W", "5")); got != "by name" {
		t.Errorf("through the Route comes %q", got)
	}
	b.probe(t, cluster.Outside, b.host, "--port", "0", "--tls-port", "443")
	if b.tryProbe(t, cluster.Outside, b.Address(cluster.Outside), "--port", "0", "--tls-port", "443", "--servername", "localhost") == nil {
		t.Error("another server name leads to the broker")
	}
}

// Killed, the broker is back at once.
func killed(t *testing.T, b broker) {
	b.signal(t, unix.SIGKILL)
	took := eventually(t, "restart after SIGKILL", soon, func() bool { return b.restarted(t, 1) })
	t.Logf("Ready %s after SIGKILL", took.Round(10*time.Millisecond))
	b.probe(t, b.Nodes[0], b.service(t, "mosquitto"), "--tls-port", "0")
}

// Stopped, it still accepts connections; the probes find out, and restart it.
func stopped(t *testing.T, b broker) {
	b.signal(t, unix.SIGSTOP)
	took := eventually(t, "restart after SIGSTOP", time.Minute, func() bool { return b.restarted(t, 2) })
	t.Logf("Ready %s after SIGSTOP", took.Round(100*time.Millisecond))
	if !strings.Contains(b.kubectl(t, "get", "events"), "Liveness probe failed") {
		t.Error("no event tells of the liveness probe")
	}
	b.probe(t, b.Nodes[0], b.service(t, "mosquitto"), "--tls-port", "0")
}
