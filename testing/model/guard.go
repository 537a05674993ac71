package model

import (
	"fmt"
	"strconv"
	"time"

	"github.com/mosqbuild/mosqbuild/agent"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// tick is the longest that a guard goes without a look at what it may do.
const tick = 50 * time.Millisecond

// guard is one broker's parent.
type guard struct {
	process
	role      int
	begun     time.Duration // own clock
	slot      int
	ledger    *agent.Ledger
	kept      *record.Record // what the pod remembers
	leaving   time.Duration
	relink    bool
	wanted    time.Duration // since when relink
	unreaped  *run          // has ended, which this guard hasn't noticed
	ended     time.Duration
	down      string
	asked     string
	stopping  time.Duration
	passed    time.Duration
	failures  int
	notFrom   time.Duration // NotBefore
	answered  time.Duration // < 0 never
	strikes   int
	waiting   []waiter
	status    record.Status
	linkUp    bool
	linkBeen  bool
	linkDown  time.Duration
	linkSince time.Duration
	other     agent.Other
	switches  agent.Switching
	looks     looks
	ending    bool          // a signal is on its way
	needs     time.Duration // since when permits are needed; < 0 not
}

// waiter is a question for the status that is kept until there is news.
type waiter struct {
	after int64
	epoch int64 // of a pushed record, 0 of a poll
	reply func(record.Status)
	done  *bool
}

func newGuard(w *World, role int) *guard {
	g := &guard{process: w.process(role), role: role}
	g.begin()
	return g
}

// begin is a new start of the program, and of its container: without memory but for
// the record.
func (g *guard) begin() {
	fresh := guard{process: g.process, role: g.role, ledger: agent.NewLedger(roles[g.role]), leaving: -1, stopping: -1, answered: -1, needs: -1, down: "starting", slot: g.w.rng.IntN(config.Slots)}
	fresh.boot++
	fresh.dead = false
	if g.kept != nil {
		fresh.kept = g.kept
		fresh.ledger.Recall(*g.kept)
		fresh.switches.Note(*g.kept, 0)
	}
	*g = fresh
	g.begun = g.clock()
	g.w.log("%s: guard begins", roles[g.role])
	loops := []func(){g.turn, g.readRecord, g.askForWord, g.watchOther, g.watchBroker, g.compare}
	if g.role == 1 {
		loops = append(loops, g.bridge)
	}
	for _, loop := range loops {
		g.after(g.w.between(0, 100*time.Millisecond), loop)
	}
}

// end is the end of the program, which takes the broker along.
func (g *guard) end() {
	g.dead = true
	g.boot++
	g.w.brokers[g.role].end(false)
}

// now is the guard's time, from when it began.
func (g *guard) now() time.Duration { return g.clock() - g.begun }

func (g *guard) turn() {
	g.after(tick, g.turn)
	g.pass()
}

// observe is what Decide goes by.
func (g *guard) observe() agent.Observation {
	r, now, p := g.ledger.Record(), g.now(), g.w.settings.Failover.Probe
	c := g.child()
	o := agent.Observation{Now: now, Role: roles[g.role], Settings: g.w.settings, Record: r, Permit: g.ledger.Permit(), Leaving: g.leaving}
	o.Broker = agent.Broker{Slot: g.slot, Ended: g.ended, NotBefore: g.notFrom}
	if c != nil {
		if r != nil && r.Active == roles[g.role] {
			c.served = true
		}
		o.Relink = g.relink && !fresh(c) && g.other.Serves(r, roles[g.role], now, g.sinceLink(), p)
		o.Broker.Run, o.Broker.Empty, o.Broker.Served = strconv.Itoa(c.id), c.empty, c.served
		o.Broker.Hung, o.Broker.Stuck = agent.Hung(p, g.silent(), now-c.began, c.empty)
	}
	if g.w.mutation == NoHoldDown {
		o.Broker.Ended = -time.Hour
	}
	return o
}

// silent is how long the broker hasn't answered, < 0 if it never has in this run.
// Only questions that could have been answered count.
func (g *guard) silent() time.Duration {
	switch {
	case g.answered < 0:
		return -1
	case g.strikes < max(1, g.w.settings.Failover.Probe.Strikes-1):
		return 0
	}
	return g.now() - g.answered
}

// pass decides once and acts.
func (g *guard) pass() {
	if g.dead {
		return
	}
	now := g.now()
	if now-g.passed > g.w.settings.Failover.Probe.Interval.Std() && g.answered >= 0 {
		g.answered, g.strikes = now, 0
	}
	g.passed = now
	o := g.observe()
	a := agent.Decide(o)
	g.act(o, a)
	g.void()
	g.publish()
}

// act carries out what was decided.
func (g *guard) act(o agent.Observation, a agent.Action) {
	b := g.w.brokers[g.role]
	if r := o.Record; r == nil || r.Active != o.Role || r.Standby == "" {
		g.needs = -1
	} else if g.needs < 0 {
		g.needs = g.now()
	}
	overdue := g.stopping >= 0 && agent.Overdue(o, g.stopping)
	switch {
	case a.Do == agent.Exit:
		g.w.log("%s: guard exits", roles[g.role])
		g.end()
	case b.run == nil && a.Do == agent.Start:
		g.relink, g.stopping, g.asked, g.answered, g.strikes = false, -1, "", -1, 0
		g.linkUp, g.linkBeen = false, false
		if g.w.mutation != SlotKept || !a.Empty {
			g.slot = a.Slot
		}
		b.start(a.Empty, g.slot).began = g.now()
	case b.run != nil && (a.Do == agent.Kill || overdue):
		g.signal(o, a, false)
	case b.run != nil && a.Do == agent.Stop && g.stopping < 0:
		g.stopping = g.now()
		g.signal(o, a, true)
	}
}

// signal ends the run, soon.
func (g *guard) signal(o agent.Observation, a agent.Action, politely bool) {
	b := g.w.brokers[g.role]
	if g.ending && politely || !politely && g.asked == "kill "+a.Reason {
		return
	}
	g.w.log("%s: %s: %s", roles[g.role], a.Do, a.Reason)
	g.w.check.ends(g, o, a)
	g.asked, g.ending = "kill "+a.Reason, true
	r, relink := b.run, o.Relink
	wait := g.w.between(100*time.Microsecond, 5*time.Millisecond)
	if politely {
		g.asked, wait = a.Reason, g.w.between(time.Millisecond, 80*time.Millisecond)
	}
	g.w.at(g.w.now+wait, func() {
		if b.run == r && r.up && !(politely && r.hung) {
			b.end(politely)
			g.do(g.boot, func() { g.reap(r, "stopped", relink && !r.synced) })
		}
	})
}

// reap takes note of the end of a run.
func (g *guard) reap(r *run, why string, vain bool) {
	if g.w.brokers[g.role].run != nil {
		return
	}
	g.ended, g.down, g.ending, g.asked, g.stopping = g.now(), why, false, "", -1
	g.failures++
	if !vain {
		g.failures = 0
	}
	g.notFrom = 0
	if vain {
		g.notFrom = g.now() + agent.Pause(g.failures)
	}
	g.pass()
}

// publish lets those who wait know of a status that has changed.
func (g *guard) publish() {
	s := g.view()
	s.Revision = g.status.Revision
	if s != g.status {
		s.Revision++
		g.status = s
	}
	rest := g.waiting[:0]
	for _, q := range g.waiting {
		switch {
		case *q.done:
		case q.epoch == 0 && g.status.Revision != q.after, q.epoch > 0 && !g.ending:
			*q.done = true
			q.reply(g.tell())
		default:
			rest = append(rest, q)
		}
	}
	g.waiting = rest
}

// view is the status as of now.
func (g *guard) view() record.Status {
	c := g.child()
	if g.role == 0 {
		g.setLink(c != nil && c.linked && g.other.Up(g.now(), g.w.settings.Failover.Probe) && g.other.Status.Linked)
	}
	s := record.Status{Role: roles[g.role], Boot: fmt.Sprint(g.role, "-", g.boot), Epoch: g.ledger.Epoch(), Record: g.ledger.Newest(), Slot: g.slot, Leaving: g.leaving >= 0, Linked: g.linkUp}
	s.Data = g.w.brokers[g.role].saved != [topics]int{}
	if c == nil {
		s.Down = g.down
		return s
	}
	s.Run = strconv.Itoa(c.id)
	s.Healthy = g.answered >= 0 && g.now()-g.answered < g.w.settings.Failover.Probe.Silence()
	s.Fresh, s.Synced = fresh(c), c.synced
	return s
}

// tell is the status, and for how long there has been no link.
func (g *guard) tell() record.Status {
	s := g.status
	if g.linkBeen && !g.linkUp {
		s.Unlinked = max(1, (g.now() - g.linkDown).Milliseconds())
	}
	return s
}

// sinceLink is when the link went down, or this guard began.
func (g *guard) sinceLink() time.Duration {
	if g.w.mutation == StaleWord {
		return -1
	}
	return max(g.linkDown, g.wanted)
}

// wantFresh is agent's Guard.wantFresh.
func (g *guard) wantFresh() {
	if !g.relink {
		g.relink, g.wanted = true, g.now()
		g.pass()
	}
}

// child is the run that this guard knows of.
func (g *guard) child() *run {
	if r := g.w.brokers[g.role].run; r != nil {
		return r
	}
	return g.unreaped
}
