package probe_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/probe"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// index returns the checks by "protocol listener/name", with "mqtt" or "mqtts"
// for the listener; it logs them, for whoever reads a failure.
func index(t *testing.T, checks []probe.Check) map[string]probe.Check {
	t.Helper()
	m := map[string]probe.Check{}
	for _, c := range checks {
		t.Logf("%-11s %-10s %-22s ok=%-5v skipped=%-5v %8.2fms %s", c.Listener, c.Protocol, c.Name,
			c.OK, c.Skipped, float64(c.Elapsed.Microseconds())/1000, c.Detail)
		scheme, _, _ := strings.Cut(c.Listener, ":")
		m[scheme+" "+c.Protocol+"/"+c.Name] = c
	}
	if len(m) != len(checks) {
		t.Errorf("%d checks under %d names", len(checks), len(m))
	}
	return m
}

// failed wants exactly the checks whose names end so to have failed.
func failed(t *testing.T, checks map[string]probe.Check, suffixes ...string) {
	t.Helper()
	for name, c := range checks {
		want := false
		for _, s := range suffixes {
			want = want || strings.HasSuffix(name, s)
		}
		if c.OK == want {
			t.Errorf("%s: OK=%v: %s", name, c.OK, c.Detail)
		}
	}
}

func TestGoodBroker(t *testing.T) {
	checks := probe.Run(t.Context(), startBroker(t, brokerOptions{}).options())
	m := index(t, checks)
	failed(t, m)
	if len(checks) != 2+4*7 || !probe.Passed(checks) {
		t.Errorf("%d checks, passed: %v", len(checks), probe.Passed(checks))
	}
	for name, want := range map[string]string{
		"mqtt MQTT 3.1.1/wrong password refused": "code 5",
		"mqtts MQTT 5/no password refused":       "code 0x87",
		"mqtts TLS/certificate":                  "TLS 1.3, localhost, until",
		"mqtts TLS/untrusted CA refused":         "unknown authority",
	} {
		if got := m[name].Detail; !strings.HasPrefix(got, want) {
			t.Errorf("%s found %q, want %q", name, got, want)
		}
	}
	for name, c := range m {
		if c.Skipped || c.Elapsed <= 0 {
			t.Errorf("%s was skipped or not timed", name)
		}
	}
}

func TestListeners(t *testing.T) {
	o := startBroker(t, brokerOptions{}).options()
	plain, tls := o, o
	plain.TLSPort, tls.Port = 0, 0
	if n := len(probe.Run(t.Context(), plain)); n != 14 {
		t.Errorf("%d checks of the plain listener alone", n)
	}
	if n := len(probe.Run(t.Context(), tls)); n != 16 {
		t.Errorf("%d checks of the TLS listener alone", n)
	}
	if checks := probe.Run(t.Context(), probe.Options{}); len(checks) != 0 || probe.Passed(checks) {
		t.Errorf("nothing was looked at, and it passed: %v", checks)
	}
}

func TestWrongLogin(t *testing.T) {
	o := startBroker(t, brokerOptions{}).options()
	o.Password = []byte("something else")
	failed(t, index(t, probe.Run(t.Context(), o)), "/login", "QoS 0", "QoS 1", "QoS 2", "/retained message")
}

func TestAnonymousBroker(t *testing.T) {
	b := startBroker(t, brokerOptions{anonymous: true})
	failed(t, index(t, probe.Run(t.Context(), b.options())), "/no password refused")

	o := b.options()
	o.Anonymous = true
	m := index(t, probe.Run(t.Context(), o))
	failed(t, m)
	if c := m["mqtt MQTT 5/no password refused"]; !c.Skipped || c.Detail == "" {
		t.Errorf("the check that doesn't apply isn't shown as skipped: %+v", c)
	}

	o.Username = ""
	m = index(t, probe.Run(t.Context(), o))
	failed(t, m)
	if c := m["mqtt MQTT 5/wrong password refused"]; !c.Skipped || c.Detail == "" {
		t.Errorf("the check that doesn't apply isn't shown as skipped: %+v", c)
	}
}

func TestWrongCertificates(t *testing.T) {
	everyTLS := []string{"mqtts TLS/certificate", "mqtts TLS/untrusted CA refused"}
	for _, p := range []string{"MQTT 3.1.1", "MQTT 5"} {
		for _, n := range []string{"login", "wrong password refused", "no password refused", "round trip QoS 0", "round trip QoS 1", "round trip QoS 2", "retained message"} {
			everyTLS = append(everyTLS, "mqtts "+p+"/"+n)
		}
	}
	for _, tc := range []struct {
		name   string
		broker brokerOptions
		change func(*probe.Options)
		want   string
	}{
		{"name", brokerOptions{certName: "elsewhere.example"}, func(*probe.Options) {}, "not localhost"},
		{"CA", brokerOptions{}, func(o *probe.Options) { o.CA = writeCerts(t, t.TempDir(), "") }, "unknown authority"},
		{"system's CAs", brokerOptions{}, func(o *probe.Options) { o.CA = nil }, "unknown authority"},
		{"no PEM", brokerOptions{}, func(o *probe.Options) { o.CA = []byte("-----") }, "no certificate in PEM"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := startBroker(t, tc.broker).options()
			tc.change(&o)
			m := index(t, probe.Run(t.Context(), o))
			failed(t, m, everyTLS...)
			if d := m["mqtts TLS/certificate"].Detail; !strings.Contains(d, tc.want) {
				t.Errorf("the certificate's fault is %q, want %q", d, tc.want)
			}
		})
	}
}

// Topics that the user may not write to: MQTT 3.1.1 has no way to say so.
func TestForbiddenTopics(t *testing.T) {
	o := startBroker(t, brokerOptions{acl: "user admin\ntopic read other\n"}).options()
	o.Timeout = 10 * time.Second // all of it is waited for
	m := index(t, probe.Run(t.Context(), o))
	failed(t, m, "QoS 0", "QoS 1", "QoS 2", "/retained message")
	if d := m["mqtt MQTT 3.1.1/round trip QoS 0"].Detail; !strings.Contains(d, "may the user write and read there") {
		t.Errorf("no word on the ACL: %q", d)
	}
}

func TestNotListening(t *testing.T) {
	o := probe.Options{Port: need.Port(t), TLSPort: need.Port(t), Username: user, Timeout: 20 * time.Second}
	start := time.Now()
	for name, c := range index(t, probe.Run(t.Context(), o)) {
		if c.OK || !c.Skipped && !strings.Contains(c.Detail, "connection refused") {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v to see that nobody listens", d)
	}
}

// A stopped broker still completes TCP's handshake: only MQTT's tells.
func TestStoppedBroker(t *testing.T) {
	b := startBroker(t, brokerOptions{})
	b.stop(t)
	o := b.options()
	o.Timeout = 5 * time.Second
	start := time.Now()
	m := index(t, probe.Run(t.Context(), o))
	// One timeout, not one for each of 30 checks, nor for the 7 of a group.
	if d := time.Since(start); d < o.Timeout || d > 5*o.Timeout {
		t.Errorf("took %v with a timeout of %v", d, o.Timeout)
	}
	for name, c := range m {
		if c.OK || !c.Skipped && !strings.HasPrefix(c.Detail, "no answer within 5s") {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestCancel(t *testing.T) {
	b := startBroker(t, brokerOptions{})
	b.stop(t)
	o := b.options()
	o.Timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	checks := probe.Run(ctx, o)
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("took %v after it was cancelled", d)
	}
	if probe.Passed(checks) || len(checks) != 30 {
		t.Errorf("%d checks, passed: %v", len(checks), probe.Passed(checks))
	}
}

// Whatever a probe writes is gone when it ends.
func TestLeavesNothing(t *testing.T) {
	b := startBroker(t, brokerOptions{anonymous: true})
	o := b.options()
	o.Anonymous = true
	failed(t, index(t, probe.Run(t.Context(), o)))
	if left, err := retained(&plainBroker{port: b.port}, time.Minute, nil); err != nil || len(left) > 0 {
		t.Errorf("retained messages stay behind: %v, %v", left, err)
	}
}

func TestWait(t *testing.T) {
	b := startBroker(t, brokerOptions{})
	if err := probe.Wait(t.Context(), b.options()); err != nil {
		t.Errorf("the broker is there: %v", err)
	}
	b.stop(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := probe.Wait(ctx, b.options()); err == nil {
		t.Error("a stopped broker counts as ready")
	}
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := probe.Wait(ctx, probe.Options{Port: need.Port(t)})
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody listens, and the error is: %v", err)
	}
}
