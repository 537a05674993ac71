package model

import (
	"fmt"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/agent"
	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// half is one broker with its guard, without time: how long ago something was
// is whether it still counts. Runs are numbers of which two are enough to tell
// the one that the record names from others.
type half struct {
	up, empty, served, linked, synced, hung bool
	named                                   bool // it is the run that the record names
	seen                                    byte // by the guard: 0 nothing, 1 an older record, 2 the present one
	old                                     short
	permit                                  bool
	far                                     bool // nobody hears it, nor does it hear anybody
}

// short is what of a record matters.
type short struct {
	active                  byte
	standby, ready, pending bool
}

// pair is a state of the whole.
type pair struct {
	rec       short
	sides     [2]half
	withdrawn byte // 0 no, 1 just now, 2 for as long as a permit lasts
}

func (s short) record(epoch int64, named bool) *record.Record {
	r := &record.Record{Epoch: epoch, Leader: "me", Active: roles[s.active], Ready: s.ready}
	if s.standby {
		r.Standby, r.Run = record.Other(r.Active), "other"
		if named {
			r.Run = "run"
		}
	}
	if s.pending {
		r.Pending = record.Other(r.Active)
	}
	return r
}

const present = 100 // the epoch of the record in the Service

var closureNow = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// observe is the leader's view of a pair.
func (p pair) observe(w *World) failover.Observation {
	standby := p.sides[1-p.rec.active]
	o := failover.Observation{Now: closureNow, Me: "me", Settings: w.settings, Selector: roles[p.rec.active], Brokers: map[string]failover.Broker{},
		Record: p.rec.record(present, standby.named), Started: closureNow.Add(-time.Hour)}
	if p.withdrawn > 0 {
		o.Withdrawn = closureNow.Add(-time.Duration(p.withdrawn-1) * time.Hour)
	}
	for i, h := range p.sides {
		b := failover.Broker{Status: &record.Status{Healthy: h.up && !h.hung, Linked: h.linked && p.sides[1-i].up, Synced: h.synced, Down: "crashed", Epoch: present - 2 + int64(h.seen)}, Heard: closureNow}
		if h.up {
			b.Status.Run, b.Status.Down = "run", ""
		}
		silent := time.Duration(0)
		if h.far {
			b.Heard, silent = closureNow.Add(-time.Minute), time.Minute
		}
		mqtt := silent
		if !h.up || h.hung {
			mqtt = time.Minute
		}
		for voter := range 3 {
			b.Votes = append(b.Votes, failover.Vote{Voter: fmt.Sprint(voter), MQTT: mqtt, Guard: silent})
		}
		o.Brokers[roles[i]] = b
	}
	return o
}

// guarded is what a guard does.
func (p pair) guarded(w *World, i int, relink, held bool) agent.Action {
	h := p.sides[i]
	o := agent.Observation{Now: time.Hour, Role: roles[i], Settings: w.settings, Permit: -1, Leaving: -1, Relink: relink}
	if h.permit {
		o.Permit = time.Hour
	}
	switch h.seen {
	case 1:
		o.Record = h.old.record(present-1, false)
	case 2:
		o.Record = p.rec.record(present, false)
	}
	o.Broker = agent.Broker{Empty: h.empty, Served: h.served, Hung: h.hung}
	if h.up {
		o.Broker.Run = "run"
	}
	if held {
		o.Broker.Ended = time.Hour
	}
	return agent.Decide(o)
}

// write is the pair after the leader's next write.
func (p pair) write(a failover.Action) pair {
	r := a.Record
	before := p.rec
	p.rec = short{active: byte(index(r.Active)), standby: r.Standby != "", ready: r.Ready, pending: r.Pending != ""}
	for i := range p.sides {
		if h := &p.sides[i]; h.seen == 2 {
			h.seen, h.old = 1, before
		}
		if a.Kind == failover.Propose && i != int(p.rec.active) {
			p.sides[i].named = true
		}
	}
	if !p.rec.standby {
		p.sides[0].named, p.sides[1].named = false, false
	}
	p.withdrawn = 0
	return p
}

// next are the states that may follow.
func (p pair) next(w *World) (all []pair, err error) {
	if a := failover.Decide(p.observe(w)); a.Kind != failover.Nothing {
		to := p.sides[1-p.rec.active]
		if (a.Kind == failover.Begin || a.Kind == failover.Finish) && !(to.up && to.named && to.synced && !to.hung) {
			return nil, fmt.Errorf("%s to a broker that isn't well: %+v", a.Kind, p)
		}
		all = append(all, p.write(a))
	}
	for i := range p.sides {
		all = append(all, p.events(i)...)
		for _, how := range [][2]bool{{false, false}, {false, true}, {true, false}} {
			all = append(all, p.act(i, p.guarded(w, i, how[0] && p.sides[1-i].up, how[1])))
		}
	}
	return append(all, p.time(w)...), nil
}

// act carries out what a guard decided.
func (p pair) act(i int, a agent.Action) pair {
	h := &p.sides[i]
	switch a.Do {
	case agent.Start:
		h.up, h.empty, h.served = true, a.Empty, h.seen == 2 && int(p.rec.active) == i || h.seen == 1 && int(h.old.active) == i
	case agent.Kill, agent.Stop:
		*h = half{seen: h.seen, old: h.old, permit: h.permit, far: h.far}
	}
	return p
}

// events are what may happen to one broker and its guard.
func (p pair) events(i int) (all []pair) {
	add := func(ok bool, change func(h *half, o *half)) {
		if ok {
			q := p
			change(&q.sides[i], &q.sides[1-i])
			all = append(all, q)
		}
	}
	h, o := p.sides[i], p.sides[1-i]
	down := func(h *half) { *h = half{seen: h.seen, old: h.old, permit: h.permit, far: h.far} }
	active := int(p.rec.active) == i
	add(h.up, func(h, _ *half) { down(h) })
	add(true, func(h, _ *half) { *h = half{far: h.far} })
	add(h.up && !h.hung, func(h, _ *half) { h.hung = true })
	add(true, func(h, _ *half) { h.far = !h.far })
	add(!h.far, func(h, _ *half) {
		h.seen, h.old = 2, short{}
		if active {
			h.permit = h.permit || !p.rec.pending
			h.served = h.served || h.up
		}
	})
	knows := o.seen == 1 && int(o.old.active) == i && !o.old.pending || o.seen == 2 && active && !p.rec.pending
	add(knows, func(h, _ *half) { h.permit = true })
	add(!active && h.up && h.empty && !h.linked && !h.far && !o.far && o.up && !p.rec.pending, func(h, _ *half) { h.linked, h.synced = true, true })
	return all
}

// time passes: the switch's wait begins once the standby's guard has read of
// it, and when it is over, so is every permit from before it.
func (p pair) time(w *World) (all []pair) {
	if to := p.sides[1-p.rec.active]; p.rec.pending && p.withdrawn == 0 && to.seen == 2 && !to.far {
		q := p
		q.withdrawn = 1
		all = append(all, q)
	}
	for i := range p.sides {
		if q := p; q.sides[i].permit {
			q.sides[i].permit = false
			all = append(all, q.act(i, q.guarded(w, i, false, true)))
		}
	}
	if p.withdrawn == 1 && w.mutation == NoWait {
		p.withdrawn = 2
		return append(all, p)
	}
	if p.withdrawn == 1 {
		q := p
		q.withdrawn = 2
		from := int(q.rec.active)
		q.sides[from].permit = false
		all = append(all, q.act(from, q.guarded(w, from, false, true)))
	}
	return all
}

// closure goes through every state that can be reached, to the first that
// violates an invariant, if there is one.
func closure(w *World) (states map[pair]bool, err error) {
	states = map[pair]bool{{}: true}
	for open := []pair{{}}; len(open) > 0; {
		p := open[len(open)-1]
		open = open[:len(open)-1]
		writes := func(i int) bool {
			h := p.sides[i]
			return h.up && !h.hung && (h.served || int(p.rec.active) == i)
		}
		if writes(0) && writes(1) {
			return states, fmt.Errorf("two writers: %+v", p)
		}
		next, err := p.next(w)
		if err != nil {
			return states, err
		}
		for _, q := range next {
			if !states[q] {
				states[q] = true
				open = append(open, q)
			}
		}
	}
	return states, nil
}

// Whatever the order of events, there is one writer, and no switch goes to a
// broker that isn't well. Without the wait before the switch there are two.
func TestReachableStates(t *testing.T) {
	states, err := closure(NewWorld(Plan{Seed: 1}, None))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[failover.State][2]int{}
	for p := range states {
		n := kinds[failover.StateOf(p.rec.record(1, true))]
		n[p.rec.active]++
		kinds[failover.StateOf(p.rec.record(1, true))] = n
	}
	t.Logf("%d states, by the active broker: %v", len(states), kinds)
	for _, s := range failover.States()[1:] {
		if n := kinds[s.State]; n[0] == 0 || n[1] == 0 {
			t.Errorf("%s never came up for both brokers: %v", s.State, n)
		}
	}
	if _, err := closure(NewWorld(Plan{Seed: 1}, NoWait)); err == nil {
		t.Error("no violation is found without the wait before the switch")
	}
}
