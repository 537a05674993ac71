package model

import (
	"crypto/sha256"
	"strconv"
	"time"

	"github.com/mosqbuild/mosqbuild/agent"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// await answers once the revision isn't after any more, or when wait is over.
func (g *guard) await(_ string, after int64, wait time.Duration, reply func(record.Status)) {
	if g.status.Revision != after && g.status.Revision > 0 {
		reply(g.tell())
		return
	}
	g.keep(waiter{after: after, reply: reply}, wait)
}

// told takes a pushed record, and answers once what it forbids has ended.
func (g *guard) told(r record.Record, reply func(record.Status)) {
	g.ledger.Told(r, g.now())
	g.kept = g.ledger.Newest()
	g.noted()
	g.pass()
	if !g.ending {
		reply(g.tell())
		return
	}
	g.keep(waiter{epoch: r.Epoch, reply: reply}, g.w.settings.Failover.Probe.Timeout.Std()/2)
}

// keep has a question wait.
func (g *guard) keep(q waiter, wait time.Duration) {
	done := false
	q.done = &done
	g.waiting = append(g.waiting, q)
	g.after(wait, func() {
		if !done {
			done = true
			q.reply(g.tell())
		}
	})
}

// readRecord reads the record again and again: news, and a permit.
func (g *guard) readRecord() {
	f := g.w.settings.Failover
	g.after(f.Probe.Interval.Std(), g.readRecord)
	sent := g.now()
	call(&g.process, &g.w.api.process, f.Permit.Age.Std(), func(reply func(*record.Record)) { reply(g.w.api.service.rec) }, func(r *record.Record, ok bool) {
		if !ok || r == nil {
			return
		}
		before := g.ledger.Epoch()
		g.ledger.Read(*r, sent, g.now())
		g.kept = g.ledger.Newest()
		g.noted()
		if g.ledger.Epoch() != before {
			g.pass()
		}
	})
}

// askForWord asks the other guard for its word, while permits are needed.
func (g *guard) askForWord() {
	f := g.w.settings.Failover
	g.after(f.Probe.Interval.Std(), g.askForWord)
	r := g.ledger.Record()
	if r == nil || r.Active != roles[g.role] || r.Standby == "" || r.Pending != "" {
		return
	}
	sent, peer := g.now(), g.w.guards[1-g.role]
	if beside := g.w.controllers[g.role]; g.w.mutation == Vouching && !beside.dead && (beside.term.service.rec == nil || beside.term.service.rec.Pending == "") {
		g.ledger.Word(record.Word{Epoch: r.Epoch, Given: true}, sent)
	}
	call(&g.process, &peer.process, f.Permit.Age.Std(), func(reply func(record.Word)) { reply(peer.ledger.Give()) }, func(word record.Word, ok bool) {
		if ok {
			g.ledger.Word(word, sent)
		}
	})
}

// watchOther keeps the other guard's status.
func (g *guard) watchOther() {
	sent, peer, after := g.now(), g.w.guards[1-g.role], int64(0)
	if g.other.Status != nil {
		after = g.other.Status.Revision
	}
	p := g.w.settings.Failover.Probe
	call(&g.process, &peer.process, agent.OtherWait+p.Timeout.Std(), func(reply func(record.Status)) { peer.await("", after, agent.OtherWait, reply) }, func(s record.Status, ok bool) {
		if !ok {
			g.after(p.Interval.Std(), g.watchOther)
			return
		}
		g.other = agent.Other{Status: &s, Heard: sent}
		g.after(5*time.Millisecond, g.watchOther)
		g.pass()
	})
}

// watchBroker asks the broker, as its clients do, whether it is still there.
func (g *guard) watchBroker() {
	c, sent, p := g.w.brokers[g.role].run, g.now(), g.w.settings.Failover.Probe
	switch {
	case c == nil:
		g.after(tick, g.watchBroker)
	case c.answers(g.w.now):
		first := g.answered < 0
		g.answered, g.strikes = sent, 0
		g.after(p.Interval.Std(), g.watchBroker)
		if first {
			g.pass()
		}
	case g.answered < 0:
		g.after(20*time.Millisecond, g.watchBroker)
	default:
		g.after(p.Timeout.Std(), func() {
			if g.w.brokers[g.role].run == c {
				g.strikes++
				g.pass()
			}
			g.watchBroker()
		})
	}
}

// looks are those of one run at both sets.
type looks struct {
	agent.Comparison
	of    *run
	open  int
	since time.Duration // when open was last less than before
}

// sums are what a run has retained, as guards compare it.
func sums(retained [topics]int) agent.Sums {
	out := agent.Sums{}
	for topic, version := range retained {
		if version > 0 {
			out[strconv.Itoa(topic)] = sha256.Sum256([]byte(strconv.Itoa(version)))
		}
	}
	return out
}

// compare is agent's Guard.compareSets: whether the standby has had all that the
// active broker has retained.
func (g *guard) compare() {
	g.after(g.w.between(100*time.Millisecond, 300*time.Millisecond), g.compare)
	c, peer := g.w.brokers[g.role].run, g.w.guards[1-g.role]
	if c == nil || !g.linkUp || c.synced || g.relink || g.now()-g.linkSince < agent.LinkSettled || !agent.StandsBy(g.ledger.Record(), roles[g.role]) {
		return
	}
	if g.looks.of != c {
		g.looks = looks{of: c, open: topics + 1, since: g.now()}
	}
	call(&g.process, &peer.process, time.Second, func(reply func([topics]int)) {
		if r := g.w.brokers[peer.role].run; r.answers(g.w.now) {
			reply(r.retained)
		}
	}, func(theirs [topics]int, ok bool) {
		if !ok || c != g.w.brokers[g.role].run || !c.answers(g.w.now) || !g.linkUp {
			return
		}
		switch n := g.looks.Look(sums(theirs), sums(c.retained)); {
		case n == 0:
			c.synced = true
			g.pass()
		case n < g.looks.open:
			g.looks.open, g.looks.since = n, g.now()
		case g.now()-g.looks.since >= agent.SyncPatience:
			g.wantFresh()
		}
	})
}

// setLink takes note of whether the link is up.
func (g *guard) setLink(up bool) {
	switch {
	case up && !g.linkUp:
		g.linkUp, g.linkBeen, g.linkSince = true, true, g.now()
	case !up && g.linkUp:
		g.linkUp, g.linkDown = false, g.now()
	default:
		return
	}
	if g.role == 1 {
		g.after(0, g.pass) // not before the end of a run is noted, which may be what took the link
	}
}
