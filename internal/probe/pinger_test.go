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
	until(t, p, "killed", func(s time.Duration) bool {
		return s >= 10*interval && errors.Is(p.State().Err, syscall.ECONNREFUSED)
	})
	select {
	case <-p.Changed():
	default:
		t.Error("nothing has changed by the broker's end")
	}
	b.start()
	before := p.State().Answers
	until(t, p, "restarted", func(time.Duration) bool {
		s := p.State()
		return s.Answers > before+2 && s.Err == nil
	})
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
	// A broker that is held up for a moment makes it doubt, but goes on over few.
	until(t, p, "many answers over few connections", func(time.Duration) bool {
		mu.Lock()
		defer mu.Unlock()
		answers := p.State().Answers
		return answers > 60 && uint64(dials)*12 <= answers
	})
}

func TestPingerSaysWhyItIsRefused(t *testing.T) {
	b := startBroker(t, brokerOptions{})
	p := startPinger(t, probe.PingOptions{
		Dial: (&plainBroker{port: b.port}).dial, Username: user, Password: []byte("wrong"),
	})
	until(t, p, "refused", func(time.Duration) bool {
		// A connection may have been given up before the broker said why.
		err := p.State().Err
		return err != nil && (err.Error() == "login refused with code 0x87" || err.Error() == "login refused with code 0x86")
	})
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
	// The broker itself may be held up now and then, but not always.
	for range 5 {
		until(t, p, "at first", answered(p))
		var most time.Duration
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			most = max(most, p.Silence(time.Now()))
		}
		t.Logf("silent for up to %v, %d answers", most, p.State().Answers)
		if most < time.Second/2 {
			return
		}
	}
	t.Error("silent for about as long as one connection is, again and again")
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
