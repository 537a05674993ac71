package probe_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/probe"
)

const interval = 50 * time.Millisecond

// startPinger runs one until the test ends.
func startPinger(t *testing.T, o probe.PingOptions) *probe.Pinger {
	t.Helper()
	o.Topic, o.Interval = "$mosqbuild/probe/test", interval
	p := probe.NewPinger(o)
	if s := p.Silence(time.Now()); s != 0 {
		t.Errorf("silent for %v before it began", s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Error("Run goes on after its context")
		}
	})
	return p
}

// until waits for a silence that ok takes.
func until(t *testing.T, p *probe.Pinger, what string, ok func(time.Duration) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(p.Silence(time.Now())); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after 30s; silent for %v, %+v", what, p.Silence(time.Now()), p.State())
		}
	}
}

func answered(p *probe.Pinger) func(time.Duration) bool {
	before := p.State().Answers
	return func(time.Duration) bool { return p.State().Answers > before+2 }
}

func silentFor(d time.Duration) func(time.Duration) bool {
	return func(s time.Duration) bool { return s >= d }
}

func TestPingerSeesABrokerComeAndGo(t *testing.T) {
	b := startPlain(t, "")
	p := startPinger(t, probe.PingOptions{Dial: b.dial})
	until(t, p, "at first", answered(p))
	<-p.Changed()

	b.cmd.Process.Signal(syscall.SIGSTOP)
	until(t, p, "stopped", silentFor(10*interval))
	b.cmd.Process.Signal(syscall.SIGCONT)
	until(t, p, "continued", answered(p))
	until(t, p, "after that", func(s time.Duration) bool { return s < 5*interval })

	b.kill()
	until(t, p, "killed", silentFor(10*interval))
	select {
	case <-p.Changed():
	default:
		t.Error("nothing has changed by the broker's end")
	}
	if err := p.State().Err; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("killed: %v", err)
	}
	b.start()
	until(t, p, "restarted", answered(p))
	if err := p.State().Err; err != nil {
		t.Errorf("restarted: %v", err)
	}
}

func TestPingerKeepsToOneConnection(t *testing.T) {
	b := startPlain(t, "")
	var mu sync.Mutex
	dials := 0
	p := startPinger(t, probe.PingOptions{Dial: func(ctx context.Context) (net.Conn, error) {
		mu.Lock()
		dials++
		mu.Unlock()
		return b.dial(ctx)
	}})
	until(t, p, "at first", answered(p))
	for range 20 {
		until(t, p, "later", answered(p))
	}
	mu.Lock()
	defer mu.Unlock()
	// A busy machine may have made it doubt, but seldom.
	if dials > 5 {
		t.Errorf("%d connections for %d answers", dials, p.State().Answers)
	}
}

func TestPingerSaysWhyItIsRefused(t *testing.T) {
	b := startBroker(t, brokerOptions{})
	p := startPinger(t, probe.PingOptions{
		Dial: (&plainBroker{port: b.port}).dial, Username: user, Password: []byte("wrong"),
	})
	until(t, p, "refused", func(time.Duration) bool { return p.State().Err != nil })
	if got := p.State().Err.Error(); got != "login refused with code 0x87" && got != "login refused with code 0x86" {
		t.Errorf("refused: %s", got)
	}
}

// TestPingerOnALossyNetwork has each connection get stuck for a second, as TCP
// does when it loses a packet twice, every fifth time that something is sent.
func TestPingerOnALossyNetwork(t *testing.T) {
	b := startPlain(t, "")
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	delay := func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(10) == 0 {
			return time.Second
		}
		return 0
	}
	p := startPinger(t, probe.PingOptions{Dial: func(ctx context.Context) (net.Conn, error) {
		conn, err := b.dial(ctx)
		return &stall{Conn: conn, delay: delay}, err
	}})
	until(t, p, "at first", answered(p))
	var most time.Duration
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		most = max(most, p.Silence(time.Now()))
	}
	t.Logf("silent for up to %v, %d answers", most, p.State().Answers)
	if most >= time.Second {
		t.Errorf("silent for %v, as long as one connection is", most)
	}
}

func TestPingerLeavesNothing(t *testing.T) {
	p := probe.NewPinger(probe.PingOptions{Topic: "x", Dial: func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithTimeout(context.Background(), interval)
	defer cancel()
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("Run goes on after its context")
	}
	if s := p.State(); s.Answers != 0 {
		t.Errorf("answers out of nowhere: %+v", s)
	}
}
