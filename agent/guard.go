package agent

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/complaint"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/probe"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// API reads the record of the pair at its source: what it returns was so at a
// moment after the call began. A nil record is none yet.
type API interface {
	Record(ctx context.Context) (*record.Record, error)
}

// Sessions are MQTT sessions with this pod's broker.
type Sessions interface {
	// Watch asks the broker again and again, until ctx ends.
	Watch(ctx context.Context) (Pulse, error)
	// Retained returns a hash of each retained message's payload by topic,
	// without topics that begin with $.
	Retained(ctx context.Context) (map[string][sha256.Size]byte, error)
}

// Pulse is what comes of asking.
type Pulse interface {
	// Silence is how long ago the last question that was answered was asked.
	Silence(now time.Time) time.Duration
	// State is what has been met.
	State() probe.PingState
	// Changed has a value when an answer ends a silence, or a connection is lost.
	Changed() <-chan struct{}
}

// Options are a guard's.
type Options struct {
	// Role is that of the broker, config.RolePrimary or config.RoleSecondary.
	Role string
	// Settings are the pair's.
	Settings config.Agent
	// State is the file that keeps the record for a guard which starts again in
	// the same pod; "" for none.
	State string
	// Program is the broker's.
	Program Program
	// Network is where others are.
	Network Network
	// API has the record.
	API API
	// Sessions look at the broker.
	Sessions Sessions
	// Log takes a line for each decision that differs from the last. It mustn't
	// block: the broker's permit could run out meanwhile.
	Log *slog.Logger
}

// tick is the longest that a guard goes without a look at what it may do.
const tick = 50 * time.Millisecond

// Guard is one broker's. New makes one.
type Guard struct {
	o       Options
	log     *slog.Logger
	client  *peer.Client
	metrics *meters
	errors  *complaint.Log
	launch  *launcher
	conf    *os.File // the broker's configuration, in memory
	holds   func(dir string) bool
	boot    string
	begin   time.Duration // of the clock
	wake    chan struct{} // holds a value when there is something to look at

	mu     sync.Mutex
	ledger *Ledger
	child  child
	other  Other
	link   link
	relink bool // the bridge waits for a run that is fresh
	// wanted is since when it does.
	wanted time.Duration
	// starting says that a run is about to begin, decided by a record that may
	// be out of date by now: nobody may be told meanwhile that the broker is down.
	starting  bool
	slot      int  // as Broker has it, or while starting that of the run to begin
	emptied   bool // since the last run
	leaving   time.Duration
	switching Switching
	passed    time.Duration // when the loop last turned
	last      Action        // as logged
	status    record.Status // as last told
	changed   chan struct{} // closed with each publish
	passes    int64         // of the loop

	data bool // there is something of an earlier run
	// linkError is why the brokers aren't linked; the gate's alone.
	linkError string
}

// New returns a guard that is to Run.
func New(o Options) *Guard {
	g := &Guard{
		o: o, log: o.Log.With("role", o.Role), client: peer.NewClient(o.Network.Identity, o.Network.Dialer), boot: rand.Text()[:8], slot: mathrand.IntN(config.Slots),
		begin: uptime(), wake: make(chan struct{}, 1), changed: make(chan struct{}), ledger: NewLedger(o.Role), leaving: -1, holds: holds,
	}
	g.child = child{down: downStarting, stopping: -1}
	g.metrics, g.errors = newMeters(g), complaint.New(g.log)
	return g
}

// now is the time since the guard began, of a clock that goes on while the
// machine sleeps.
func (g *Guard) now() time.Duration { return uptime() - g.begin }

// poke has the loop look now.
func (g *Guard) poke() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// Hangup passes SIGHUP on to the broker, which reads its files again.
func (g *Guard) Hangup() {
	g.mu.Lock()
	run, slot := g.child.run, g.slot
	g.mu.Unlock()
	text, err := g.configuration(slot) // of a disk that may hang
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.child.process == nil || g.child.run != run {
		return // the next run has read it, or will
	}
	if err == nil {
		err = g.configure(text)
	}
	g.fail("configuring the broker anew", err)
	_ = g.child.process.Signal(syscall.SIGHUP) // it has ended meanwhile
}

// Run guards the broker. When ctx is done the guard is leaving: it returns once
// the broker isn't needed any more and has ended, at the latest after
// failover.leave and the time that the broker takes. An error is one of the
// guard's listeners; the broker is killed then, too.
func (g *Guard) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var err error
	if g.conf, err = memory(config.ConfFile); err != nil {
		return err
	}
	defer g.conf.Close()
	g.recall()
	g.launch, g.data = newLauncher(), g.holds(g.o.Program.DataDir)
	defer g.launch.Close()
	group, inner := errgroup.WithContext(inner)
	if err := g.listen(inner, group); err != nil {
		return err
	}
	for _, work := range []func(context.Context){
		g.readRecords, g.askForWord, g.watchOther, g.watchBroker, g.compareSets,
	} {
		group.Go(func() error { work(inner); return nil })
	}
	if os.Getpid() == 1 {
		group.Go(func() error { g.reapOrphans(inner); return nil })
	}
	group.Go(func() error {
		defer cancel()
		return g.loop(ctx, inner)
	})
	err = group.Wait()
	g.kill("the guard ends")
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

// loop decides and acts until it is time to exit.
func (g *Guard) loop(leave, ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	leaving := leave.Done()
	for {
		if g.pass() {
			return nil
		}
		select {
		case <-g.wake:
		case <-ticker.C:
		case <-leaving:
			leaving = nil
			g.mu.Lock()
			g.leaving = g.now()
			g.mu.Unlock()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pass decides once and acts; it tells whether to exit. What stops the broker
// comes before all else, for the pass may be a late one.
func (g *Guard) pass() (exit bool) {
	g.mu.Lock()
	now := g.now()
	g.passed = now
	o := g.observe(now)
	a := Decide(o)
	g.halt(o, a)
	g.tell(a)
	begin := a.Do == Start && g.child.run == ""
	if g.starting = begin; begin {
		g.slot = a.Slot
	}
	g.passes++
	g.publish(now)
	g.mu.Unlock()
	if begin {
		g.start(a)
	}
	return a.Do == Exit
}

// observe is what Decide goes by. g.mu is held, as it is for all whose comment
// doesn't say more.
func (g *Guard) observe(now time.Duration) Observation {
	r := g.ledger.Record()
	if r != nil && g.child.run != "" && r.Active == g.o.Role {
		g.child.served = true
	}
	c := &g.child
	hung, stuck := c.hung(g.o.Settings.Failover.Probe, now)
	return Observation{
		Now: now, Role: g.o.Role, Settings: g.o.Settings, Record: r, Permit: g.ledger.Permit(), Leaving: g.leaving,
		Relink: g.relink && c.run != "" && !c.fresh() && g.otherServes(r, now),
		Broker: Broker{
			Run: c.run, Slot: g.slot, Empty: c.empty, Served: c.served, Hung: hung, Stuck: stuck,
			Ended: c.ended, NotBefore: c.notBefore,
		},
	}
}

// tell logs a decision that differs from the last.
func (g *Guard) tell(a Action) {
	if a == g.last {
		return
	}
	g.last = a
	level := slog.LevelInfo
	if a.Do == Kill {
		level = slog.LevelWarn
	}
	g.log.Log(context.Background(), level, "decided", "do", a.Do.String(), "empty", a.Empty, "reason", a.Reason,
		"epoch", g.ledger.Epoch(), "run", g.child.run, "permitAge", g.permitAge().String())
}

// permitAge is how old the newest permit is, below 0 if there is none.
func (g *Guard) permitAge() time.Duration {
	if g.ledger.Permit() < 0 {
		return -time.Second
	}
	return g.now() - g.ledger.Permit()
}

// listen opens all that is listened at, before anything is begun.
func (g *Guard) listen(ctx context.Context, group *errgroup.Group) error {
	guard, err := listen(ctx, g.o.Network.Guard)
	if err != nil {
		return err
	}
	health, err := listen(ctx, g.o.Network.Health)
	if err != nil {
		guard.Close()
		return err
	}
	if g.o.Role == config.RoleSecondary {
		group.Go(func() error { return g.serveGate(ctx) })
	}
	group.Go(func() error { return peer.Serve(ctx, guard, g.o.Network.Identity, g.handler()) })
	group.Go(func() error { return peer.Serve(ctx, health, nil, g.health().Handler()) })
	return nil
}

// fail logs what went wrong where the guard goes on.
func (g *Guard) fail(what string, err error) {
	if err != nil {
		g.log.Error(what, "error", err.Error())
	}
}

var errStuck = fmt.Errorf("the guard's loop hasn't turned for %s", stuck)

// stuck is how long the loop may not have turned.
const stuck = 5 * time.Second

// listen listens at address, "host:port".
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fault.Hint(fmt.Errorf("listening at %q: %w", address, err), "does another guard run in this pod?")
	}
	return l, nil
}
