package model

import (
	"slices"
	"time"

	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// term is what a controller knows while it leads.
type term struct {
	started time.Time
	service service
	known   bool // the service is as last read or written, surely
	newest  *record.Record
	hold    failover.Hold
	writes  int
	writing bool
	reading bool
	readAt  time.Time
	pushing [2]bool
	failed  int
	rest    time.Time

	withdrawal failover.Withdrawal
}

// lead begins a term.
func (c *controller) lead(number int) {
	c.term = term{started: c.wall()}
	c.watch(number)
}

// watch looks at least as often as lookAgain says.
func (c *controller) watch(number int) {
	if !c.leads || c.number != number {
		return
	}
	c.think()
	t := &c.term
	var r *record.Record
	var silent time.Duration
	if t.known && t.service.rec != nil && failover.Settled(t.failed, t.rest, c.wall()) {
		r = t.service.rec
		silent, _ = silence(c.sides[index(r.Active)].mqtt, c.started, c.wall(), c.w.settings.Failover.Probe)
	}
	c.after(failover.LookAgain(r, silent, c.w.settings.Failover.Probe.Interval.Std()), func() { c.watch(number) })
}

// think observes, decides and acts. Nothing is decided while a write is under
// way, nor before its outcome is known.
func (c *controller) think() {
	t := &c.term
	if !c.leads || t.writing {
		return
	}
	if t.known {
		o := c.observe()
		if lost, _ := t.hold.Lost(o); !lost || c.w.mutation == EpochNotFirst {
			if a := c.decide(o); a.Kind != failover.Nothing && !o.Now.Before(t.rest) {
				c.w.check.decided(c, o, a)
				c.apply(a)
			}
		}
	}
	c.read()
	c.push()
}

// observe is failover's term.observe.
func (c *controller) observe() failover.Observation {
	t := &c.term
	o := failover.Observation{
		Now: c.wall(), Me: c.name, Settings: c.w.settings, Record: t.service.rec, Known: t.newest, Selector: t.service.selector, Targets: c.w.settings.Targets(t.service.slot),
		Brokers: c.view(), Started: t.started, Request: t.service.request, Paused: t.service.paused,
	}
	if r := o.Record; r != nil && r.Pending != "" {
		o.Withdrawn = t.withdrawal.Since(*r, o.Brokers[r.Pending].Status, o.Now)
	}
	return o
}

// decide is the shipped Decide, or what a seeded bug makes of it.
func (c *controller) decide(o failover.Observation) failover.Action {
	if c.w.mutation == OlderTaken {
		o.Known = nil
		for role, b := range o.Brokers {
			if b.Status != nil {
				s := *b.Status
				s.Record, b.Status = nil, &s
				o.Brokers[role] = b
			}
		}
	}
	if r := o.Record; r != nil {
		switch {
		case c.w.mutation == NoWait && r.Pending != "":
			o.Withdrawn = o.Now.Add(-time.Hour)
		case c.w.mutation == EpochNotFirst:
			copied := *r
			copied.Leader = o.Me
			o.Record = &copied
		case c.w.mutation == DropUnheard && r.Leader == o.Me && r.Pending == "" && r.Standby != "" && c.unheard(o.Brokers[r.Standby]):
			dropped := *r
			dropped.Epoch, dropped.Standby, dropped.Run, dropped.Ready = r.Epoch+1, "", "", false
			return failover.Action{Kind: failover.Drop, Record: dropped}
		}
	}
	return failover.Decide(o)
}

// unheard tells whether most controllers have long heard nothing of a broker's guard.
func (c *controller) unheard(b failover.Broker) bool {
	against := 0
	for _, v := range b.Votes {
		if v.Guard >= c.w.settings.Failover.Probe.Silence() {
			against++
		}
	}
	return against > len(c.w.controllers)/2
}

// apply writes.
func (c *controller) apply(a failover.Action) {
	t, number := &c.term, c.number
	t.writing = true
	t.writes++
	leads := slices.Contains([]failover.Kind{failover.Bootstrap, failover.Restore, failover.Repair, failover.Finish}, a.Kind)
	old := t.service.rec
	call(&c.process, &c.w.api.process, c.w.settings.Failover.Permit.Age.Std(),
		func(reply func(outcome)) { reply(c.w.api.write(c, old, a.Record, leads)) },
		func(got outcome, ok bool) {
			if c.number != number {
				return
			}
			t.writing, t.readAt = false, time.Time{}
			if !ok || got != written {
				t.known = false
				if !ok {
					t.rest = c.wall().Add(failover.RestAfter(t.failed))
					t.failed++
				}
				c.read()
				return
			}
			t.failed = 0
			r := a.Record
			t.service.rec, t.newest = &r, &r
			t.hold.Written()
			if leads {
				t.service.selector, t.service.slot = r.Active, r.Slot
			}
			c.think()
		})
}

// read is failover's term.refresh.
func (c *controller) read() {
	t, number := &c.term, c.number
	every := c.w.settings.Failover.Probe.Interval.Std()
	if !t.known {
		every = 25 * time.Millisecond
	}
	if t.reading || t.writing || c.wall().Sub(t.readAt) < every {
		return
	}
	t.reading, t.readAt = true, c.wall()
	writes := t.writes
	call(&c.process, &c.w.api.process, c.w.settings.Failover.Permit.Age.Std(), func(reply func(service)) { reply(c.w.api.service) }, func(s service, ok bool) {
		if c.number != number {
			return
		}
		t.reading = false
		if ok && writes == t.writes {
			t.service, t.known = s, true
			if s.rec != nil && (t.newest == nil || s.rec.Epoch > t.newest.Epoch) {
				t.newest = s.rec
			}
			c.think()
		}
	})
}

// push is failover's term.push.
func (c *controller) push() {
	t, number := &c.term, c.number
	if !t.known || t.service.rec == nil {
		return
	}
	for role := range roles {
		if s := c.sides[role].status; t.pushing[role] || s != nil && s.Epoch >= t.service.rec.Epoch {
			continue
		}
		t.pushing[role] = true
		sent, truth, g, r := c.wall(), c.w.now, c.w.guards[role], *t.service.rec
		call(&c.process, &g.process, c.w.settings.Failover.Probe.Timeout.Std(), func(reply func(record.Status)) { g.told(r, reply) }, func(st record.Status, ok bool) {
			if c.number != number {
				return
			}
			if ok {
				c.reported(role, st, sent, truth)
			}
			c.after(25*time.Millisecond, func() { t.pushing[role] = false })
		})
	}
}
