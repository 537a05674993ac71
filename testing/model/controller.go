package model

import (
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// controller is one replica: it listens to both brokers, votes, and leads while
// it has the Lease.
type controller struct {
	process
	elector
	id      int
	name    string
	started time.Time
	sides   [2]side
	ballots [3]ballot
	term    term
}

// side is one broker, as this controller has heard of it.
type side struct {
	mqtt, guard, seen, heard time.Time
	status                   *record.Status
	asked                    time.Time // the last question for the status
	open                     int       // counts them
	truth                    time.Duration
}

// ballot is a controller's vote and when it came in.
type ballot struct {
	vote record.Vote
	at   time.Time
}

func newController(w *World, id int) *controller {
	c := &controller{process: w.process(id), id: id, name: fmt.Sprintf("controller-%d", id)}
	c.begin()
	return c
}

// begin is a new start of the program, without memory.
func (c *controller) begin() {
	c.boot++
	c.dead = false
	c.elector, c.sides, c.ballots = elector{number: c.number + 1, since: c.clock()}, [2]side{}, [3]ballot{}
	c.started = c.wall()
	for role := range roles {
		c.after(c.w.between(0, 200*time.Millisecond), func() { c.probe(role) })
		c.after(c.w.between(0, 200*time.Millisecond), func() { c.poll(role) })
	}
	c.after(c.w.between(0, 200*time.Millisecond), c.voting)
	c.after(c.w.between(0, time.Second), c.campaign)
}

// probe asks the broker over MQTT, each interval.
func (c *controller) probe(role int) {
	p := c.w.settings.Failover.Probe
	c.after(p.Interval.Std(), func() { c.probe(role) })
	sent, boot, net := c.wall(), c.boot, &c.w.net
	net.send(c.node, role, func() {
		if !c.w.brokers[role].answers() {
			return
		}
		net.send(role, c.node, func() {
			c.do(boot, func() {
				if now := c.wall(); now.Sub(sent) <= p.Timeout.Std() {
					s := &c.sides[role]
					s.mqtt, s.seen = later(s.mqtt, sent), later(s.seen, sent)
				}
			})
		})
	})
}

// poll asks the guard for its status: at each interval, and anew soon after
// each answer.
func (c *controller) poll(role int) {
	p := c.w.settings.Failover.Probe
	s := &c.sides[role]
	s.open++
	open, sent, truth := s.open, c.wall(), c.w.now
	s.asked = sent
	var boot string
	var after int64
	if s.status != nil {
		boot, after = s.status.Boot, s.status.Revision
	}
	wait := p.Interval.Std() * 3 / 4
	again := func() {
		if s.open == open {
			c.poll(role)
		}
	}
	c.after(p.Interval.Std(), again)
	g := c.w.guards[role]
	call(&c.process, &g.process, wait+p.Timeout.Std(), func(reply func(record.Status)) { g.await(boot, after, wait, reply) },
		func(st record.Status, ok bool) {
			if ok {
				c.reported(role, st, sent, truth)
				c.after(p.Interval.Std()/25, again)
			}
		})
}

// reported takes note of a guard's answer to what was sent then.
func (c *controller) reported(role int, st record.Status, sent time.Time, truth time.Duration) {
	s := &c.sides[role]
	s.guard = later(s.guard, sent)
	news, keep := failover.Supersedes(s.status, st, sent.After(s.heard))
	if keep {
		s.status, s.heard, s.truth = &st, sent, truth
	}
	if news && c.leads {
		c.think()
	}
}

// voting sends this controller's vote to whom it takes for the leader.
func (c *controller) voting() {
	p := c.w.settings.Failover.Probe
	c.after(p.Interval.Std(), c.voting)
	holder := c.seen.holder - 1
	if holder < 0 || holder == c.id {
		return
	}
	vote, leader := c.vote(), c.w.controllers[holder]
	c.w.net.send(c.node, leader.node, func() {
		leader.do(leader.boot, func() {
			leader.ballots[c.id] = ballot{vote, leader.wall()}
			for role, ms := range vote.Silence {
				s := &leader.sides[index(role)]
				s.seen = later(s.seen, leader.wall().Add(-time.Duration(ms)*time.Millisecond))
			}
			if leader.leads {
				leader.think()
			}
		})
	})
}

// vote is what this controller says of both brokers.
func (c *controller) vote() record.Vote {
	v := record.Vote{Voter: c.name, Silence: map[string]int64{}, Guard: map[string]int64{}}
	for i, role := range roles {
		mqtt, ok := silence(c.sides[i].mqtt, c.started, c.wall(), c.w.settings.Failover.Probe)
		guard, ok2 := silence(c.sides[i].guard, c.started, c.wall(), c.w.settings.Failover.Probe)
		if ok && ok2 {
			v.Silence[role], v.Guard[role] = mqtt.Milliseconds(), guard.Milliseconds()
		}
	}
	return v
}

// view is what Decide is told of the brokers.
func (c *controller) view() map[string]failover.Broker {
	now, p := c.wall(), c.w.settings.Failover.Probe
	c.ballots[c.id] = ballot{c.vote(), now}
	out := make(map[string]failover.Broker, 2)
	for i, role := range roles {
		s := &c.sides[i]
		b := failover.Broker{Status: s.status, Heard: s.heard, Seen: s.seen}
		for _, from := range c.ballots {
			if v, ok := failover.Counted(from.vote, now.Sub(from.at), role, p); ok {
				b.Votes = append(b.Votes, v)
			}
		}
		out[role] = b
	}
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
