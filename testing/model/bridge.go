package model

import (
	"time"

	"github.com/mosqbuild/mosqbuild/agent"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// link is the bridge's connection between two runs. Each direction is in order.
type link struct {
	w       *World
	runs    [2]*run
	queue   [2][]message // to that role
	busy    [2]bool
	gone    [2]bool // the run at that end has ended
	active  string  // as the secondary's guard had it
	cutAt   time.Duration
	patient time.Duration // for how long a cut goes unnoticed
	hungAt  time.Duration // since when an end hangs
}

// bridge has the secondary's broker connect again and again.
func (g *guard) bridge() {
	g.after(g.w.between(200*time.Millisecond, 700*time.Millisecond), g.bridge)
	w := g.w
	if w.link != nil {
		return
	}
	own := g.child()
	if own == nil || own.up && !own.answers(w.now) {
		return
	}
	r := g.ledger.Record()
	switch {
	case agent.StandsBy(r, roles[1]) && fresh(own):
		g.dial(own)
	case agent.StandsBy(r, roles[1]):
		g.wantFresh()
	case r != nil && r.Active == roles[1] && r.Pending == "":
		g.dial(own)
	}
}

// admit is POST /v1/link at the primary's guard.
func (g *guard) admit() bool {
	r := g.w.brokers[g.role].run
	switch {
	case !agent.StandsBy(g.ledger.Record(), roles[g.role]) || r == nil:
		return false
	case fresh(r):
		r.linked = true
		return true
	}
	g.wantFresh()
	return false
}

// dial connects the secondary's run to whatever run the primary has, and then
// uses up the standby's freshness. In the other order, a run that has begun in
// between would be linked without a note of it.
func (g *guard) dial(own *run) {
	w, net, boot := g.w, &g.w.net, g.boot
	net.send(1, 0, func() {
		other := w.brokers[0].run
		if !other.answers(w.now) {
			return
		}
		net.send(0, 1, func() {
			g.do(boot, func() { g.claim(other, own) })
		})
	})
}

// claim is agent's Guard.claim.
func (g *guard) claim(other, own *run) {
	w, active := g.w, g.ledger.Record().Active
	join := func() {
		r := g.ledger.Record()
		if w.link == nil && own.up && other.up && r.Pending == "" && r.Active == active && (active == roles[1] || fresh(own)) {
			own.linked = own.linked || active == roles[0]
			w.join([2]*run{other, own})
		}
	}
	if active == roles[0] {
		join()
		return
	}
	peer := w.guards[0]
	call(&g.process, &peer.process, w.settings.Failover.Probe.Timeout.Std(), func(reply func(bool)) { reply(peer.admit()) }, func(admitted, ok bool) {
		if ok && admitted {
			join()
		}
	})
}

// join makes the link. Each side sends what it has retained, and then what
// changes.
func (w *World) join(runs [2]*run) {
	l := &link{w: w, runs: runs, active: w.guards[1].ledger.Record().Active, patient: w.between(2*time.Second, 2300*time.Millisecond)}
	w.link = l
	l.watch()
	w.log("link: primary's run %d, secondary's run %d", runs[0].id, runs[1].id)
	for to := range roles {
		from := runs[1-to]
		for topic, version := range from.retained {
			if version > 0 {
				l.send(to, message{topic: topic, version: version})
			}
		}
		if roles[to] != l.active {
			last := from.last
			l.send(to, message{all: &last})
		}
	}
	w.guards[1].setLink(true)
}

// send puts a message on the way.
func (l *link) send(to int, m message) {
	l.queue[to] = append(l.queue[to], m)
	if !l.busy[to] {
		l.busy[to] = true
		l.next(to)
	}
}

// next brings the first message of a queue over.
func (l *link) next(to int) {
	net := &l.w.net
	delay := net.delay(1-to, to)
	if delay > l.patient {
		l.w.at(l.w.now+l.patient, l.close)
		return
	}
	l.w.at(l.w.now+delay, func() {
		switch {
		case l.w.link != l:
		case net.blocked(1-to, to), l.runs[to].up && l.runs[to].hung: // it waits in the kernel
			l.w.at(l.w.now+20*time.Millisecond, func() { l.next(to) })
		case len(l.queue[to]) == 0:
			l.busy[to] = false
			l.settle()
		default:
			if r := l.runs[to]; r.up {
				r.apply(l.w, l.queue[to][0], true)
			}
			l.queue[to] = l.queue[to][1:]
			l.next(to)
		}
	})
}

// lose is for the end of one run: what it has sent is still on its way, what it
// hadn't sent is lost.
func (l *link) lose(role int) {
	l.gone[role] = true
	if role == 1 {
		l.close()
		return
	}
	if n := len(l.queue[1]); n > 0 {
		l.queue[1] = l.queue[1][:l.w.rng.IntN(n+1)]
	}
	l.settle()
}

// settle closes a link of which one end is gone, once all has arrived and the
// other end can learn of it.
func (l *link) settle() {
	if l.gone[0] && !l.busy[1] && !l.w.net.blocked(0, 1) {
		l.close()
	}
}

// watch closes a link that has been cut for as long as the gate's socket waits for
// an acknowledgement, or that the bridge's keepalive gives up, or one end of which
// hung for longer than half as long again as that.
func (l *link) watch() {
	w, net := l.w, &l.w.net
	if w.link != l {
		return
	}
	w.at(w.now+100*time.Millisecond, l.watch)
	switch hung := l.runs[0].hung || l.runs[1].hung; {
	case hung && l.hungAt == 0:
		l.hungAt = w.now
	case !hung && l.hungAt > 0 && w.now-l.hungAt > 7500*time.Millisecond:
		l.close() // by the end that heard no ping, which the other one learns now
		return
	case !hung:
		l.hungAt = 0
	}
	switch {
	case !net.blocked(0, 1) && !net.blocked(1, 0):
		l.cutAt = 0
		l.settle()
	case l.cutAt == 0:
		l.cutAt = w.now
	case w.now-l.cutAt > l.patient && !l.gone[0]:
		l.close()
	case w.now-l.cutAt > 8*time.Second:
		l.close()
	}
}

// void closes a link that began when the record named another active broker, or
// over which all that was on its way has had the time to come, as the gate does.
func (g *guard) void() {
	l, r := g.w.link, g.ledger.Record()
	if g.role == 1 && l != nil && r != nil && (r.Active != l.active || g.switches.Drained(*r, g.now(), g.w.settings.Failover.Permit)) {
		l.close()
	}
}

// noted takes note of a record that may be a newer one.
func (g *guard) noted() {
	r := g.ledger.Newest()
	if r == nil || r.Epoch == g.status.Epoch {
		return
	}
	g.switches.Note(*r, g.now())
	if r.Pending != "" {
		g.after(record.Drain(g.w.settings.Failover.Permit, r.Planned), g.pass)
	}
}

func (l *link) close() {
	if l.w.link == l {
		l.w.link = nil
		l.w.log("link: down")
		l.w.guards[1].setLink(false)
	}
}
