package cluster_test

import (
	"strings"
	"testing"
	"time"
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

		listen := b.client(t, "mosquitto_sub", way.to, way.toPort, "-t", topic+"/once", "-W", "4", "-d")
		var heard strings.Builder
		listen.Stdout = &heard
		if err := listen.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		run(t, b.client(t, "mosquitto_pub", way.from, way.fromPort, "-t", topic+"/once", "-m", "message"))
		_ = listen.Wait() // it ends with a code of its own when its time is up
		if n := strings.Count(heard.String(), "received PUBLISH"); n != 1 {
			t.Errorf("from %s to %s come %d copies:\n%s", way.from, way.to, n, heard.String())
		}
	}
}

// The failover account may switch the clients' Service, and nothing else.
func mayFailOver(t *testing.T, b broker) {
	account := "system:serviceaccount:" + b.namespace + ":mosquitto-failover"
	for what, want := range map[string]string{
		"patch service/mosquitto": "yes", "get service/mosquitto": "yes",
		"patch service/mosquitto-primary": "no", "delete service/mosquitto": "no", "list services": "no", "get secrets": "no", "patch deployments": "no",
	} {
		// It exits with 1 for a no.
		got, _ := b.Kubectl(t.Context(), "", append([]string{"auth", "can-i", "--namespace", b.namespace, "--as", account}, strings.Fields(what)...)...)
		if strings.TrimSpace(got) != want {
			t.Errorf("may it %s: %s", what, got)
		}
	}
}

// Switched by hand, clients find the secondary with what they had retained; a
// primary that was away gets it all back.
func switched(t *testing.T, b broker) {
	b.kubectl(t, "patch", "service", "mosquitto", "--patch", `{"spec":{"selector":{"role":"secondary"}}}`)
	b.kubectl(t, "scale", "deployment", "mosquitto-primary", "--replicas", "0")
	eventually(t, "end of the primary", soon, func() bool { return len(b.as("primary").pods(t)) == 0 })
	b.retained(t, "mosquitto", "1883", "bridged/mosquitto-primary", "retained")
	run(t, b.client(t, "mosquitto_pub", "mosquitto", "1883", "-t", "switched", "-m", "meanwhile", "-r"))
	b.probe(t, b.Nodes[0], b.service(t, "mosquitto"), "--tls-port", "0")

	b.kubectl(t, "scale", "deployment", "mosquitto-primary", "--replicas", "1")
	b.rolledOut(t)
	b.retained(t, "mosquitto-primary", primaryPort, "switched", "meanwhile")
	b.retained(t, "mosquitto-primary", primaryPort, "bridged/mosquitto-primary", "retained")
	b.kubectl(t, "patch", "service", "mosquitto", "--patch", `{"spec":{"selector":{"role":"primary"}}}`)
}
