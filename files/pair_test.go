package files_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// pair is the rendered pair, on ports of this machine.
type pair struct {
	primary, secondary            string // folders
	port, bridgePort, standbyPort int
	link                          *link // between the bridge and its listener
}

func newPair(t *testing.T, client func(ca certs.Pair) certs.Pair) *pair {
	t.Helper()
	now := time.Now().Add(-time.Minute)
	must := func(p certs.Pair, err error) certs.Pair {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ca := must(certs.NewCA(certs.CARequest{Name: "bridge CA", NotBefore: now}))
	cfg := config.Default()
	_, cfg.Mosquitto = mosquitto(t)
	cfg.Deploy.Profile = config.ProfileHA
	cfg.Listeners, cfg.TLS.Source = cfg.Listeners[:1], ""
	b, err := files.Render(cfg, files.Secrets{Passwd: hashed(t, "admin", config.HealthUser, config.GuardUser), Bridge: files.Bridge{
		CA:     ca.Cert,
		Server: must(certs.Issue(ca, certs.LeafRequest{Hosts: []string{"127.0.0.1"}, NotBefore: now})),
		Client: client(ca),
	}})
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{port: need.Port(t), bridgePort: need.Port(t), standbyPort: need.Port(t)}
	p.link = newLink(t, p.bridgePort)
	shared := slices.DeleteFunc(slices.Concat(b.Rendered, b.Defaults), func(f files.File) bool { return filepath.Base(f.Path) == config.ConfFile })
	bridge, direct := fmt.Sprint(config.PortBridge), fmt.Sprintf("listener %d", cfg.Direct()[0].Port)
	p.primary = lay(t, slices.Concat(shared, b.Primary),
		"listener 1883", fmt.Sprintf("listener %d 127.0.0.1", p.port), direct, fmt.Sprintf("listener %d 127.0.0.1", need.Port(t)),
		"listener "+bridge, fmt.Sprintf("listener %d 127.0.0.1", p.bridgePort))
	p.secondary = lay(t, slices.Concat(shared, b.Secondary),
		"listener 1883", fmt.Sprintf("listener %d 127.0.0.1", p.standbyPort), direct, fmt.Sprintf("listener %d 127.0.0.1", need.Port(t)),
		fmt.Sprintf("address 127.0.0.1:%d", config.PortBridgeGate), fmt.Sprintf("address 127.0.0.1:%d", p.link.port))
	return p
}

func bridgeClient(t *testing.T) func(certs.Pair) certs.Pair {
	return func(ca certs.Pair) certs.Pair {
		c, err := certs.IssueClient(ca, certs.ClientRequest{Name: config.BridgeUser, NotBefore: time.Now().Add(-time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// connected waits until the bridge says so, on the secondary.
func connected(t *testing.T, b *broker) {
	t.Helper()
	wait(t, b, "bridged", func() bool {
		state := b.get(t, "5", "$SYS/broker/connection/+/state", "-C", "1")
		return len(state) == 1 && strings.HasSuffix(state[0], "/state 1")
	})
}

// One publish is one copy on the other side, and none comes back, either way.
func TestPairBridgesBothWaysOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t, bridgeClient(t))
	primary := start(t, p.primary, p.port)
	secondary := start(t, p.secondary, p.standbyPort)
	connected(t, secondary)
	for name, c := range map[string]struct{ from, to *broker }{"out": {primary, secondary}, "in": {secondary, primary}} {
		heard := map[*broker]<-chan string{c.from: c.from.listen(t, "#", "-q", "1"), c.to: c.to.listen(t, "#", "-q", "1")}
		got := map[*broker][]string{}
		c.from.put(t, "measured/"+name, "1")
		// The bridge keeps the order: what comes back, or again, is before an end.
		for n, b := range []*broker{c.from, c.to, c.from} {
			end := fmt.Sprint("end/", n)
			b.put(t, end, name)
			for b, from := range heard {
				got[b] = append(got[b], upTo(t, from, end+" "+name)...)
			}
		}
		want := []string{"measured/" + name + " 1", "end/0 " + name, "end/1 " + name, "end/2 " + name}
		for b, have := range got {
			if !slices.Equal(have, want) {
				t.Errorf("%s: the broker at %d delivered %d messages: %q", name, b.port, len(have), have[:min(9, len(have))])
			}
		}
	}
	for _, b := range []*broker{secondary, primary} {
		b.stop()
		b.quiet(t)
	}
}

// Retained messages are on both sides, so that a switch keeps them; a primary
// that comes back, empty, gets them as they are by then.
func TestPairKeepsRetainedMessages(t *testing.T) {
	t.Parallel()
	p := newPair(t, bridgeClient(t))
	primary := start(t, p.primary, p.port)
	secondary := start(t, p.secondary, p.standbyPort)
	connected(t, secondary)
	for _, topic := range []string{"stays", "changes", "goes"} {
		primary.put(t, topic, "old", "-r")
	}
	wait(t, secondary, "in step", func() bool { return len(secondary.retained(t)) == 3 })
	primary.stop()
	secondary.put(t, "changes", "new", "-r")
	secondary.put(t, "goes", "", "-r")
	secondary.put(t, "comes", "new", "-r")
	want := map[string]string{"changes": "new", "comes": "new", "stays": "old"}
	primary = start(t, p.primary, p.port)
	for _, b := range []*broker{primary, secondary} {
		wait(t, b, "in step again", func() bool { return maps.EqualFunc(b.retained(t), want, same) })
	}
}

// same tells whether that is the hash of the payload.
func same(hash [sha256.Size]byte, payload string) bool { return hash == sha256.Sum256([]byte(payload)) }

// The bridge's listener lets in the bridge's certificate alone, and nobody by
// a password; the plain listener lets nobody in under the bridge's name.
func TestPairRefusesOtherBridges(t *testing.T) {
	t.Parallel()
	now := time.Now().Add(-time.Minute)
	foreign := func(certs.Pair) certs.Pair {
		other, err := certs.NewCA(certs.CARequest{Name: "bridge CA", NotBefore: now})
		if err != nil {
			t.Fatal(err)
		}
		return bridgeClient(t)(other)
	}
	p := newPair(t, foreign)
	primary := start(t, p.primary, p.port)
	secondary := start(t, p.secondary, p.standbyPort)
	primary.put(t, "secret", "1", "-r")
	time.Sleep(3 * time.Second)
	if got := secondary.get(t, "2", "#"); len(got) != 0 {
		t.Errorf("with a foreign certificate the secondary got %q", got)
	}
	ca := filepath.Join(p.primary, config.BridgeDir, config.CAFile)
	for name, args := range map[string][]string{
		"a password":     {"-h", "127.0.0.1", "-p", fmt.Sprint(p.bridgePort), "--cafile", ca, "-u", "admin", "-P", "admin"},
		"no certificate": {"-h", "127.0.0.1", "-p", fmt.Sprint(p.bridgePort), "--cafile", ca},
		"the name alone": {"-p", fmt.Sprint(p.port), "-u", config.BridgeUser},
		"no login":       {"-p", fmt.Sprint(p.port)},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		out, err := exec.CommandContext(ctx, "mosquitto_sub", append(args, "-t", "#", "-C", "1", "-W", "3")...).CombinedOutput()
		cancel()
		if err == nil || strings.Contains(string(out), "1\n") && !strings.Contains(string(out), "rror") {
			t.Errorf("%s: let in: %v, %s", name, err, out)
		}
	}
}

// The bridge's user has no part in what begins with $: neither what a broker tells
// of itself nor orders to it can cross, whatever a bridge subscribes to.
func TestTheBridgeUserReachesNoControlTopics(t *testing.T) {
	t.Parallel()
	p := newPair(t, bridgeClient(t))
	primary := start(t, p.primary, p.port)
	primary.put(t, "measured", "1", "-r")
	of := func(dir, name string) string { return filepath.Join(dir, config.BridgeDir, name) }
	as := func(program string, more ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		args := []string{"-h", "127.0.0.1", "-p", fmt.Sprint(p.bridgePort), "-V", "5", "-q", "1", "--cafile", of(p.primary, config.CAFile),
			"--cert", of(p.secondary, config.CertFile), "--key", of(p.secondary, config.KeyFile)}
		out, _ := exec.CommandContext(ctx, program, append(args, more...)...).CombinedOutput()
		return strings.TrimSpace(string(out))
	}
	if got := as("mosquitto_sub", "-v", "-W", "10", "-t", "#", "-t", "$SYS/#", "-t", "$CONTROL/#", "-t", config.ProbePrefix+"#"); got != "measured 1" && !strings.HasPrefix(got, "measured 1\n") || strings.Contains(got, "$") {
		t.Errorf("it reads %q", got)
	}
	for topic, denied := range map[string]bool{"measured": false, "$CONTROL/dynamic-security/v1": true, config.ProbePrefix + "one": true} {
		if got := as("mosquitto_pub", "-t", topic, "-m", "2"); strings.Contains(got, "uthori") != denied {
			t.Errorf("publishing on %s: %q", topic, got)
		}
	}
}

// What a message of MQTT 5 carries arrives with it: one that expires does so
// on both sides.
func TestPairKeepsProperties(t *testing.T) {
	t.Parallel()
	p := newPair(t, bridgeClient(t))
	primary := start(t, p.primary, p.port)
	secondary := start(t, p.secondary, p.standbyPort)
	connected(t, secondary)
	v5 := []string{"-V", "5", "-r", "-D", "publish", "user-property", "unit", "C", "-D", "publish", "message-expiry-interval", "60"}
	primary.put(t, "out", "1", v5...)
	secondary.put(t, "in", "1", v5...)
	for topic, b := range map[string]*broker{"out": secondary, "in": primary} {
		var got []string
		wait(t, b, "in step", func() bool {
			got = b.get(t, "5", topic, "-C", "1", "-V", "5", "-F", "%t %p %E %P")
			return len(got) == 1
		})
		var expiry int
		if n, err := fmt.Sscanf(got[0], topic+" 1 %d unit:C", &expiry); n != 1 || err != nil || expiry > 60 {
			t.Errorf("%q arrived: %v", got, err)
		}
	}
}

// After a cut, a secondary that was restarted meanwhile takes over what the
// primary has by then: nothing old comes back. (One that kept its memory would
// send it, which is why a broker that was cut off has to be restarted.)
func TestPairAfterACut(t *testing.T) {
	t.Parallel()
	p := newPair(t, bridgeClient(t))
	primary := start(t, p.primary, p.port)
	secondary := start(t, p.secondary, p.standbyPort)
	connected(t, secondary)
	for _, topic := range []string{"stays", "changes", "goes"} {
		primary.put(t, topic, "old", "-r")
	}
	wait(t, secondary, "in step", func() bool { return len(secondary.retained(t)) == 3 })
	p.link.cut()
	primary.put(t, "goes", "", "-r")
	primary.put(t, "changes", "new", "-r")
	secondary.stop()
	secondary = start(t, p.secondary, p.standbyPort)
	p.link.mend(t)
	connected(t, secondary)
	// The bridge keeps the order: what was to come has come before these.
	want := map[string]string{"changes": "new", "last/primary": "1", "last/secondary": "1", "stays": "old"}
	primary.put(t, "last/primary", "1", "-r")
	secondary.put(t, "last/secondary", "1", "-r")
	for topic, b := range map[string]*broker{"last/primary": secondary, "last/secondary": primary} {
		wait(t, b, "in step again", func() bool { return len(b.get(t, "5", topic, "-C", "1")) == 1 })
	}
	for _, b := range []*broker{primary, secondary} {
		if have := b.retained(t); !maps.EqualFunc(have, want, same) {
			t.Errorf("the broker at %d has, as hashes, %v, want %q", b.port, have, want)
		}
	}
}

// Probes go round within one broker: they come back to who sent them, and
// neither who reads everything nor the other broker sees them.
func TestProbesStayWithinTheBroker(t *testing.T) {
	t.Parallel()
	p := newPair(t, bridgeClient(t))
	primary := start(t, p.primary, p.port)
	secondary := start(t, p.secondary, p.standbyPort)
	connected(t, secondary)
	const topic = config.ProbePrefix + "one"
	heard := map[string]<-chan string{}
	listen := func(name string, b *broker, topic, user string) {
		heard[name] = b.listen(t, topic, "-u", user, "-P", user)
	}
	listen("itself", primary, topic, config.HealthUser)
	listen("a guard", primary, topic, config.GuardUser)
	listen("everybody", primary, "#", "admin")
	listen("a guard that reads all", primary, "#", config.GuardUser)
	listen("the prefix, as admin", primary, config.ProbePrefix+"#", "admin")
	listen("the health user, reading all", primary, "#", config.HealthUser)
	listen("the other broker", secondary, topic, config.HealthUser)
	primary.put(t, topic, "1", "-u", config.HealthUser, "-P", config.HealthUser)
	primary.put(t, "measured", "2")
	primary.put(t, "forbidden", "3", "-u", config.GuardUser, "-P", config.GuardUser)
	primary.put(t, "forbidden", "4", "-u", config.HealthUser, "-P", config.HealthUser)
	primary.put(t, topic, "5", "-u", config.HealthUser, "-P", config.HealthUser)
	primary.put(t, "end", "6", "-r")
	wait(t, secondary, "told the end", func() bool { return len(secondary.get(t, "5", "end", "-C", "1")) == 1 })
	time.Sleep(time.Second) // for what nobody should hear
	probes, others := []string{topic + " 1", topic + " 5"}, []string{"measured 2", "end 6"}
	for name, want := range map[string][]string{
		"itself": probes, "a guard": probes, "everybody": others, "a guard that reads all": others,
		"the prefix, as admin": nil, "the health user, reading all": nil, "the other broker": nil,
	} {
		var got []string
		if len(want) > 0 {
			got = upTo(t, heard[name], want[len(want)-1])
		}
		for len(heard[name]) > 0 {
			got = append(got, <-heard[name])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s got %q, want %q", name, got, want)
		}
	}
}
