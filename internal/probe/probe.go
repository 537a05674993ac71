package probe

import (
	"cmp"
	"context"
	"crypto/rand"
	"net"
	"strconv"
	"sync"
	"time"
)

// TopicPrefix is what every topic of a probe begins with; a random part
// follows, so that probes at the same time don't meet.
const TopicPrefix = "mosqbuild/probe/"

// DefaultTimeout bounds each check where Options.Timeout is zero.
const DefaultTimeout = 5 * time.Second

// Options say which broker to probe and what it should let in.
type Options struct {
	// Host is the name or address to connect to. Default: 127.0.0.1.
	Host string
	// Port and TLSPort are the plain and the TLS listener's; 0 leaves it out.
	Port, TLSPort int
	// CA holds the certificates (PEM) that the broker's must descend from.
	CA []byte
	// ServerName is the name expected in the certificate, also sent as SNI.
	// Default: Host.
	ServerName string
	// Username logs in with Password. An empty one logs in with neither.
	Username string
	Password []byte
	// Anonymous says that the broker means to let in clients without a
	// login: having none is then not checked to be refused.
	Anonymous bool
	// Timeout bounds each check. Default: DefaultTimeout.
	Timeout time.Duration
}

// Check is one thing looked at and how it went.
type Check struct {
	// Listener is the listener's scheme and port: "mqtt:1883", "mqtts:8883".
	Listener string `json:"listener"`
	// Protocol is "TLS", "MQTT 3.1.1" or "MQTT 5".
	Protocol string `json:"protocol"`
	// Name says what should be so: "login", "wrong password refused", ….
	Name string `json:"name"`
	// OK says whether it is so.
	OK bool `json:"ok"`
	// Skipped says that it wasn't looked at; Detail says why. With OK it
	// didn't apply, without it something that it builds upon had failed.
	Skipped bool `json:"skipped,omitempty"`
	// Detail is what was found, or what went wrong.
	Detail string `json:"detail,omitempty"`
	// Elapsed is how long the check took, in nanoseconds in JSON.
	Elapsed time.Duration `json:"elapsedNs"`
}

// Passed says whether there is a check and none failed.
func Passed(checks []Check) bool {
	for _, c := range checks {
		if !c.OK {
			return false
		}
	}
	return len(checks) > 0
}

// Run probes the listeners that o names and returns the checks in a fixed
// order: by listener, then by protocol. Listeners and protocols are probed at
// once; a check that can't but fail after an earlier one is skipped, so that a
// broker which doesn't answer costs little more than one Timeout. A cancelled
// ctx ends it early, with the rest of the checks failed.
func Run(ctx context.Context, o Options) []Check {
	o = o.withDefaults()
	var groups []*group
	for _, l := range listeners(o) {
		if l.tls {
			groups = append(groups, newGroup(o, l, tlsGroup))
		}
		for _, p := range protocols {
			groups = append(groups, newGroup(o, l, p.checks))
		}
	}
	var wg sync.WaitGroup
	for _, g := range groups {
		wg.Go(func() { g.run(ctx) })
	}
	wg.Wait()
	var checks []Check
	for _, g := range groups {
		checks = append(checks, g.done...)
	}
	return checks
}

func (o Options) withDefaults() Options {
	o.Host = cmp.Or(o.Host, "127.0.0.1")
	o.ServerName = cmp.Or(o.ServerName, o.Host)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	return o
}

// listener is one of the broker's, as the probe reaches it.
type listener struct {
	name    string // as in Check.Listener
	address string
	tls     bool
}

func listeners(o Options) []listener {
	var ls []listener
	if o.Port != 0 {
		port := strconv.Itoa(o.Port)
		ls = append(ls, listener{"mqtt:" + port, net.JoinHostPort(o.Host, port), false})
	}
	if o.TLSPort != 0 {
		port := strconv.Itoa(o.TLSPort)
		ls = append(ls, listener{"mqtts:" + port, net.JoinHostPort(o.Host, port), true})
	}
	return ls
}

// randomTopic returns a topic that nobody else uses.
func randomTopic() string { return TopicPrefix + rand.Text() }
