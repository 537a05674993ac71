package failover_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/probe"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// world is a cluster: an API server, two brokers with their guards, and an
// election that the one controller wins. Its clock is synctest's.
type world struct {
	t       *testing.T
	service failover.Service
	// fault, if not nil, is asked before each call to the API server. It
	// returns the call's error, and whether the call is made all the same.
	fault  func(op string) (err error, done bool)
	hangs  time.Duration // a write, whatever its context says
	guards map[string]*fakeGuard
	events []failover.Event
	// happened is what has, in its order.
	happened []string
	mu       sync.Mutex
	depose   chan struct{}
	failback config.Failback
}

// fakeGuard is a guard that obeys at once, and its broker.
type fakeGuard struct {
	w       *world
	st      record.Status
	cut     bool // the leader doesn't reach it
	lost    bool // nobody does
	deaf    bool // it takes no records
	changed chan struct{}

	asked    time.Time // the broker, by MQTT
	answered bool
	news     chan struct{}
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, guards: map[string]*fakeGuard{}, depose: make(chan struct{})}
	for _, role := range []string{primary, secondary} {
		w.guards[role] = &fakeGuard{w: w, changed: make(chan struct{}), news: make(chan struct{}, 1), st: record.Status{
			Role: role, Boot: role + "-boot", Revision: 1, Run: role + "-1", Healthy: true, Linked: true, Synced: true,
		}}
	}
	return w
}

// run lets the world go on with a controller for as long as f takes.
func (w *world) run(me string, f func(c *failover.Controller)) {
	ctx, cancel := context.WithCancel(w.t.Context())
	ports := failover.Ports{Store: w, Elector: w, Sender: w, Guards: map[string]failover.Guard{}, Probers: map[string]failover.Prober{}}
	for role, g := range w.guards {
		ports.Guards[role], ports.Probers[role] = g, g
	}
	c := failover.New(me, w.settings(), ports, slog.New(slog.DiscardHandler))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	for _, voter := range []string{"b_192.0.2.2", "c_192.0.2.3"} {
		wg.Go(func() { w.vote(ctx, voter, c) })
	}
	f(c)
	cancel()
	wg.Wait()
}

func (w *world) settings() config.Agent {
	s := settings()
	s.Failover.Failback = w.failback
	return s
}

// vote has another controller vote as the brokers are.
func (w *world) vote(ctx context.Context, voter string, c *failover.Controller) {
	heard := map[string]time.Time{primary: time.Now(), secondary: time.Now()}
	for ctx.Err() == nil {
		v := record.Vote{Voter: voter, Silence: map[string]int64{}, Guard: map[string]int64{}}
		for role, g := range w.guards {
			if g.serves() {
				heard[role] = time.Now()
			}
			v.Silence[role] = time.Since(heard[role]).Milliseconds()
			v.Guard[role] = v.Silence[role]
		}
		c.Take(v)
		sleep(ctx, 250*time.Millisecond)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (w *world) note(format string, args ...any) {
	w.happened = append(w.happened, fmt.Sprintf(format, args...))
}

// before tells whether all of the events are among what has happened, in this
// order.
func (w *world) before(events ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.happened
	for _, e := range events {
		i := slices.Index(rest, e)
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	return true
}

// record is the present one.
func (w *world) record() record.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, err := record.Parse(w.service.Text)
	if err != nil || r == nil {
		w.t.Fatalf("the record is %q: %v", w.service.Text, err)
	}
	return *r
}

// change changes the Service as people do.
func (w *world) change(f func(*failover.Service)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.service)
}

// targets are where the Service's ports lead to.
func (w *world) targets() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.service.Targets
}

// call asks fault. The lock must be held.
func (w *world) call(op string) (error, bool) {
	if w.fault == nil {
		return nil, true
	}
	return w.fault(op)
}

func (w *world) Read(ctx context.Context) (failover.Service, error) {
	sleep(ctx, 2*time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	err, _ := w.call("read")
	return w.service, errors.Join(err, ctx.Err())
}

func (w *world) Write(ctx context.Context, old string, r record.Record, lead bool) error {
	sleep(ctx, 2*time.Millisecond)
	w.mu.Lock()
	hangs := w.hangs
	w.mu.Unlock()
	time.Sleep(hangs)
	w.mu.Lock()
	defer w.mu.Unlock()
	err, done := w.call("write")
	if !done {
		return err
	}
	if w.service.Text != old {
		w.note("conflict")
		return failover.ErrConflict
	}
	w.service.Text = r.String()
	if _, err := record.Parse(w.service.Text); err != nil {
		w.t.Error(err)
	}
	if lead {
		w.service.Selector, w.service.Targets = r.Active, w.settings().Targets(r.Slot)
	}
	w.note("write %s", failover.StateOf(&r))
	return err
}

func (w *world) Event(_ context.Context, e failover.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

func (w *world) Elect(ctx context.Context, lead func(context.Context), leader func(string)) error {
	leader("a_192.0.2.1")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-w.depose:
			cancel()
		case <-ctx.Done():
		}
	}()
	lead(ctx)
	return nil
}

func (w *world) Send(context.Context, record.Vote) error {
	return errors.New("the leader doesn't vote by mail")
}

// set changes the guard's status. The lock must be held.
func (g *fakeGuard) set(f func(*record.Status)) {
	f(&g.st)
	g.st.Revision++
	close(g.changed)
	g.changed = make(chan struct{})
}

// do changes the guard's status from outside.
func (g *fakeGuard) do(f func(*record.Status)) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.set(f)
}

func (g *fakeGuard) crash() {
	g.do(func(s *record.Status) { s.Run, s.Healthy, s.Down = "", false, "crashed" })
}

// cutOff has nobody reach the guard and its broker, and hide the leader alone.
func (g *fakeGuard) cutOff() {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.cut, g.lost = true, true
}

func (g *fakeGuard) hide() {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.cut = true
}

func (g *fakeGuard) serves() bool {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	return !g.lost && g.st.Run != "" && g.st.Healthy
}

// obey is what a guard does with a newer record. The lock must be held.
func (g *fakeGuard) obey(r record.Record) {
	if r.Epoch <= g.st.Epoch || g.deaf {
		return
	}
	g.set(func(s *record.Status) {
		s.Epoch, s.Record = r.Epoch, &r
		if r.Pending == s.Role {
			g.w.note("%s withdraws", s.Role)
		}
		if r.Active == s.Role && r.Pending != "" && s.Run != "" {
			g.w.note("%s stops", s.Role)
			s.Run, s.Healthy, s.Down = "", false, "fenced"
		}
	})
}

func (g *fakeGuard) Status(ctx context.Context, after int64, wait time.Duration) (record.Status, error) {
	deadline := time.After(wait)
	for {
		g.w.mu.Lock()
		st, changed, cut := g.st, g.changed, g.cut
		g.w.mu.Unlock()
		if cut {
			<-ctx.Done()
			return record.Status{}, ctx.Err()
		}
		if st.Revision != after {
			return st, nil
		}
		select {
		case <-changed:
		case <-deadline:
			return st, nil
		case <-ctx.Done():
			return record.Status{}, ctx.Err()
		}
	}
}

func (g *fakeGuard) Push(ctx context.Context, r record.Record) (record.Status, error) {
	sleep(ctx, time.Millisecond)
	if g.hidden() {
		<-ctx.Done()
		return record.Status{}, ctx.Err()
	}
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.obey(r)
	return g.st, nil
}

func (g *fakeGuard) Run(ctx context.Context) {
	g.w.mu.Lock()
	g.asked = time.Now()
	g.w.mu.Unlock()
	for ctx.Err() == nil {
		if g.serves() && !g.hidden() {
			now := time.Now()
			g.w.mu.Lock()
			silent := now.Sub(g.asked) > 500*time.Millisecond || !g.answered
			g.asked, g.answered = now, true
			g.w.mu.Unlock()
			if silent {
				g.news <- struct{}{}
			}
		}
		sleep(ctx, 250*time.Millisecond)
	}
}

func (g *fakeGuard) Silence(now time.Time) time.Duration {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	return now.Sub(g.asked)
}

func (g *fakeGuard) State() probe.PingState { return probe.PingState{} }

func (g *fakeGuard) Changed() <-chan struct{} { return g.news }

func (g *fakeGuard) hidden() bool {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	return g.cut
}

// until waits in virtual time, and fails the test where that takes too long.
func (w *world) until(what string, limit time.Duration, is func(record.Record) bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for time.Since(began) < limit {
		w.mu.Lock()
		r, _ := record.Parse(w.service.Text)
		w.mu.Unlock()
		if r != nil && is(*r) {
			return time.Since(began)
		}
		time.Sleep(time.Millisecond)
	}
	w.t.Fatalf("not %s after %s: %s\n%q", what, limit, w.service.Text, w.happened)
	return 0
}

func isReady(r record.Record) bool { return r.Ready && r.Pending == "" }

func serving(role string) func(record.Record) bool {
	return func(r record.Record) bool { return r.Active == role && r.Pending == "" }
}

// bubble runs f in a world of its own, with a controller that leads a pair
// which is ready.
func bubble(t *testing.T, f func(w *world, c *failover.Controller)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run("a_192.0.2.1", func(c *failover.Controller) {
			w.until("ready", 5*time.Second, isReady)
			f(w, c)
		})
	})
}
