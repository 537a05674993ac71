package model

import "time"

// jitter is by how much client-go stretches the time between two tries at most.
const jitter = 2.2

// elector is client-go's leader election. Whether the Lease has run out, each
// candidate judges by its own clock, since it last saw the Lease change.
type elector struct {
	seen    lease
	since   time.Duration // own clock
	leads   bool
	renewed time.Duration // when the last renewal was heard to have worked
	number  int           // of the term
}

// campaign tries to get the Lease, again and again.
func (c *controller) campaign() {
	l := c.w.settings.Failover.Lease
	wait := time.Duration(float64(l.Retry) * (1 + (jitter-1)*c.w.rng.Float64()))
	call(&c.process, &c.w.api.process, l.Renew.Std(), func(reply func(lease)) { reply(c.w.api.lease) }, func(seen lease, ok bool) {
		c.after(wait, c.campaign)
		if ok && !c.leads {
			c.saw(seen)
			if seen.holder == 0 || seen.holder == c.id+1 || c.clock()-c.since >= l.Duration.Std() {
				c.try(seen.version)
			}
		}
	})
}

// saw takes note of the Lease.
func (c *controller) saw(seen lease) {
	if seen.version != c.seen.version {
		c.seen, c.since = seen, c.clock()
	}
}

// try takes the Lease.
func (c *controller) try(version int) {
	call(&c.process, &c.w.api.process, c.w.settings.Failover.Lease.Renew.Std(), c.elect(version), func(ok, answered bool) {
		if !answered || !ok || c.leads {
			return
		}
		c.saw(lease{holder: c.id + 1, version: version + 1})
		c.leads, c.renewed = true, c.clock()
		c.number++
		c.w.log("%s leads", c.name)
		c.lead(c.number)
		c.renew(c.number)
	})
}

func (c *controller) elect(version int) func(func(bool)) {
	return func(reply func(bool)) { reply(c.w.api.elect(c.id+1, version)) }
}

// renew keeps the Lease, and gives up when that hasn't worked for long.
func (c *controller) renew(term int) {
	l := c.w.settings.Failover.Lease
	c.after(l.Retry.Std(), func() {
		if c.number != term || !c.leads {
			return
		}
		if c.clock()-c.renewed >= l.Renew.Std() {
			c.resign()
			return
		}
		version := c.seen.version
		call(&c.process, &c.w.api.process, l.Renew.Std(), c.elect(version), func(ok, answered bool) {
			if c.number != term || !c.leads {
				return
			}
			switch {
			case ok:
				c.saw(lease{holder: c.id + 1, version: version + 1})
				c.renewed = c.clock()
			case answered:
				c.refresh()
			}
		})
		c.renew(term)
	})
}

// refresh reads the Lease after a renewal that was refused: somebody else has
// it, or an earlier renewal went unanswered.
func (c *controller) refresh() {
	call(&c.process, &c.w.api.process, time.Second, func(reply func(lease)) { reply(c.w.api.lease) }, func(seen lease, ok bool) {
		if !ok || !c.leads {
			return
		}
		c.saw(seen)
		if seen.holder != c.id+1 {
			c.resign()
		}
	})
}

// resign ends the term.
func (c *controller) resign() {
	c.w.log("%s leads no longer", c.name)
	c.leads = false
	c.number++
}
