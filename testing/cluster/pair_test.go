package cluster_test

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// The ports of the Services that each lead to one broker.
const (
	primaryPort   = "2883"
	secondaryPort = "3883"
)

// as is b for the other broker of the pair.
func (b broker) as(role string) broker {
	b.role = role
	return b
}

// The two brokers run on different nodes.
func apart(t *testing.T, b broker) {
	one, other := b.as("primary").pods(t), b.as("secondary").pods(t)
	if len(one) != 1 || len(other) != 1 || one[0].Spec.NodeName == other[0].Spec.NodeName {
		t.Errorf("the brokers' pods are %+v and %+v", one, other)
	}
}

// What is said at one broker is heard at the other, once.
func bridged(t *testing.T, b broker) {
	for _, way := range []struct{ from, fromPort, to, toPort string }{
		{"mosquitto-primary", primaryPort, "mosquitto-secondary", secondaryPort},
		{"mosquitto-secondary", secondaryPort, "mosquitto-primary", primaryPort},
	} {
		topic := "bridged/" + way.from
		run(t, b.client(t, "mosquitto_pub", way.from, way.fromPort, "-t", topic, "-m", "retained", "-r"))
		b.retained(t, way.to, way.toPort, topic, "retained")

		listen := b.client(t, "mosquitto_sub", way.to, way.toPort, "-t", topic+"/once", "-W", "10", "-d")
		listen.Args = slices.Insert(listen.Args, slices.Index(listen.Args, "mosquitto_sub"), "stdbuf", "-oL") // each line at once
		out, err := listen.StdoutPipe()
		if err == nil {
			err = listen.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var heard strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan(); {
			fmt.Fprintln(&heard, lines.Text())
			if strings.HasPrefix(lines.Text(), "Subscribed") {
				run(t, b.client(t, "mosquitto_pub", way.from, way.fromPort, "-t", topic+"/once", "-m", "message"))
			}
		}
		_ = listen.Wait() // it ends with a code of its own when its time is up
		if n := strings.Count(heard.String(), "received PUBLISH"); n != 1 {
			t.Errorf("from %s to %s come %d copies:\n%s", way.from, way.to, n, heard.String())
		}
	}
}

// read returns the record of who serves.
func (b broker) read(t *testing.T) record.Record {
	t.Helper()
	text := b.kubectl(t, "get", "service", "mosquitto", "-o", `jsonpath={.metadata.annotations.mosqbuild\.io/failover}`)
	r, err := record.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		return record.Record{}
	}
	return *r
}

// ready waits until the active broker may be relieved, and returns the record.
func (b broker) ready(t *testing.T) record.Record {
	t.Helper()
	var r record.Record
	eventually(t, "a pair that is ready", 3*time.Minute, func() bool {
		r = b.read(t)
		return r.Ready && r.Pending == "" && b.kubectl(t, "get", "service", "mosquitto", "-o", "jsonpath={.spec.selector.role}") == r.Active
	})
	return r
}

// Rendered without a selector, the clients' Service gets one, and the brokers
// are watched over.
func guarded(t *testing.T, b broker) {
	r := b.ready(t)
	t.Logf("ready at epoch %d", r.Epoch)
	if r.Active != "primary" || r.Last != nil {
		t.Errorf("the record begins with %s", r)
	}
	// Applied again, as GitOps does, it leads where it led.
	leads := func() string {
		return b.kubectl(t, "get", "service", "mosquitto", "-o", "jsonpath={.spec.selector} {.spec.ports[*].targetPort}")
	}
	before := leads()
	if want := fmt.Sprintf(" %d %d", config.ClientPort(0, r.Slot), config.ClientPort(1, r.Slot)); !strings.HasSuffix(before, want) {
		t.Errorf("the Service leads to %s, want %s", before, want)
	}
	if _, err := b.Apply(t.Context(), mosqbuild(t, b.dir, "render", "--image", b.image(), "--agent-image", agentImage)); err != nil {
		t.Fatal(err)
	}
	if now := leads(); now != before {
		t.Errorf("applied again, the Service leads to %s, before to %s", now, before)
	}
	if now := b.ready(t); now.Active != r.Active || now.Last != nil {
		t.Errorf("applied again, the record is %s", now)
	}
	// Replaced, it is put right.
	b.kubectl(t, "patch", "service", "mosquitto", "--type", "json", "--patch", `[{"op":"replace","path":"/spec/ports/0/targetPort","value":1883}]`)
	eventually(t, "the Service's way back", soon, func() bool { return leads() == before })
}

// failover runs a command of mosqbuild's.
func (b broker) failover(t *testing.T, args ...string) string {
	t.Helper()
	return mosqbuild(t, b.dir, append([]string{"failover", "--kubeconfig", b.Kubeconfig()}, args...)...)
}

// Switched by hand, clients find the other broker with what they had retained;
// and nothing that happened meanwhile is lost on the way back.
func switched(t *testing.T, b broker) {
	was := b.ready(t)
	b.failover(t, "switch")
	now := b.ready(t)
	if now.Active == was.Active || now.Last == nil || now.Last.To != now.Active {
		t.Errorf("after the switch the record is %s", now)
	}
	b.retained(t, "mosquitto", "1883", "bridged/mosquitto-primary", "retained")
	run(t, b.client(t, "mosquitto_pub", "mosquitto", "1883", "-t", "switched", "-m", "meanwhile", "-r"))
	b.probe(t, b.Nodes[0], b.service(t, "mosquitto"), "--tls-port", "0")
	b.failover(t, "switch", "--to", was.Active)
	if now := b.ready(t); now.Active != was.Active {
		t.Errorf("after the switch back the record is %s", now)
	}
	b.retained(t, "mosquitto", "1883", "switched", "meanwhile")
	b.retained(t, "mosquitto", "1883", "bridged/mosquitto-primary", "retained")
}

// relieved has a broker fail: the other one takes over with what is retained,
// and the first, which its guard and not Kubernetes restarts, stands by.
func relieved(s unix.Signal) func(*testing.T, broker) {
	return func(t *testing.T, b broker) {
		was := b.ready(t)
		b = b.as(was.Active)
		topic := "relieved/" + unix.SignalName(s)
		run(t, b.client(t, "mosquitto_pub", "mosquitto", "1883", "-t", topic, "-m", "value", "-r"))
		b.retained(t, "mosquitto-secondary", secondaryPort, topic, "value")
		b.retained(t, "mosquitto-primary", primaryPort, topic, "value")
		restarts, _ := b.restarts(t)
		if err := unix.Kill(b.process(t), s); err != nil {
			t.Fatal(err)
		}
		took := eventually(t, "switch after "+unix.SignalName(s), soon, func() bool { return b.read(t).Active != was.Active })
		t.Logf("switched %s after %s", took.Round(10*time.Millisecond), unix.SignalName(s))
		b.retained(t, "mosquitto", "1883", topic, "value")
		if now := b.ready(t); now.Active == was.Active {
			t.Errorf("it has switched back: %s", now)
		}
		if now, ready := b.restarts(t); now != restarts || !ready {
			t.Errorf("its container was restarted %d times; ready: %v", now-restarts, ready)
		}
	}
}

// Rolled out anew, both at once, the brokers keep what is retained.
func rolled(t *testing.T, b broker) {
	b.ready(t)
	run(t, b.client(t, "mosquitto_pub", "mosquitto", "1883", "-t", "rolled", "-m", "value", "-r"))
	b.retained(t, "mosquitto-secondary", secondaryPort, "rolled", "value")
	b.retained(t, "mosquitto-primary", primaryPort, "rolled", "value")
	b.kubectl(t, "rollout", "restart", "statefulset/mosquitto-primary", "statefulset/mosquitto-secondary")
	for _, name := range []string{"mosquitto-primary", "mosquitto-secondary"} {
		b.kubectl(t, "rollout", "status", "statefulset/"+name, "--timeout", "120s")
	}
	b.ready(t)
	for service, port := range map[string]string{"mosquitto": "1883", "mosquitto-primary": primaryPort, "mosquitto-secondary": secondaryPort} {
		b.retained(t, service, port, "rolled", "value")
		b.retained(t, service, port, "bridged/mosquitto-primary", "retained")
	}
}
