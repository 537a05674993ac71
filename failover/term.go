package failover

import (
	"context"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// quick is how often a leader looks while there is something to wait for.
const quick = 25 * time.Millisecond

// term is the time that a controller leads for, and what it knows meanwhile.
// One goroutine uses it; reads and pushes run beside and report on channels.
type term struct {
	*Controller
	started time.Time
	// service and record are as last read or written. While known is false,
	// they may not be what the API server has, and nothing is decided.
	service Service
	record  *record.Record
	known   bool
	// newest is the record with the highest epoch of this term.
	newest *record.Record
	// claimed says that the record has been written in this term. If it names
	// somebody else then, usurped is when that was seen.
	claimed bool
	usurped time.Time
	// writes counts them: what was read before one tells nothing after it.
	writes  int
	reading bool
	readAt  time.Time // when the last read began
	reads   chan reading
	// withdrawn is Observation.Withdrawn, of the record with that epoch.
	withdrawn      time.Time
	withdrawnEpoch int64
	pushing        map[string]bool // the guards that a push is under way to
	pushes         chan string
	said           string // the reason for doing nothing, as last logged
	beside         sync.WaitGroup
	// failed counts the writes in a row that came to nothing. The next one
	// isn't tried before rest is over.
	failed int
	rest   time.Time
}

// reading is what came of a read that began after that many writes.
type reading struct {
	service Service
	record  *record.Record
	err     error
	writes  int
}

// lead observes, decides and acts until ctx is done.
func (c *Controller) lead(ctx context.Context) {
	t := &term{
		Controller: c, started: time.Now(),
		reads: make(chan reading, 1), pushes: make(chan string, len(roles)),
		pushing: map[string]bool{},
	}
	c.log.Info("leading", "me", c.me)
	c.counts.put(metricLeader, "", 1)
	defer func() {
		t.beside.Wait()
		c.turned.Store(nil)
		c.counts.stand()
		c.log.Info("leading no longer", "me", c.me)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-c.view.changed:
		case r := <-t.reads:
			t.read(r)
		case role := <-t.pushes:
			delete(t.pushing, role)
		}
		now := time.Now()
		c.turned.Store(&now)
		// Each write may make the next one due.
		for ctx.Err() == nil && t.step(ctx) {
		}
		t.refresh(ctx)
		t.push(ctx)
		timer.Reset(t.pause())
	}
}

// step decides once, and tells whether that changed the record.
func (t *term) step(ctx context.Context) bool {
	if !t.known {
		return false
	}
	o := t.observe(time.Now())
	t.counts.lead(o)
	if t.stale(o) {
		return false
	}
	a := Decide(o)
	if a.Kind != Nothing && o.Now.Before(t.rest) {
		return false
	}
	return t.apply(ctx, a)
}

// stale tells whether somebody else took over the record in this term: then
// the Lease is theirs, and this leader, which was asleep perhaps, just doesn't
// know yet. It has until its Lease has run out to learn; if it still leads
// then, it was the other one that was late.
func (t *term) stale(o Observation) bool {
	switch {
	case o.Record == nil || o.Record.Leader == t.me || !t.claimed:
		t.usurped = time.Time{}
		return false
	case t.usurped.IsZero():
		t.usurped = o.Now
		t.log.Warn("standing down", "reason", "another controller has written the record", "leader", o.Record.Leader)
	case o.Now.Sub(t.usurped) >= t.settings.Failover.Lease.Duration.Std():
		t.claimed = false
		return false
	}
	return true
}

// observe puts together what there is to decide by.
func (t *term) observe(now time.Time) Observation {
	o := Observation{
		Now: now, Me: t.me, Settings: t.settings, Record: t.record, Known: t.newest, Selector: t.service.Selector, Targets: t.service.Targets,
		Brokers: t.view.brokers(now), Started: t.started,
		Request: parseRequest(t.service.Request), Paused: t.service.Paused == "true",
	}
	if r := t.record; r != nil && r.Pending != "" {
		if r.Epoch != t.withdrawnEpoch {
			t.withdrawn, t.withdrawnEpoch = time.Time{}, r.Epoch
		}
		if s := o.Brokers[r.Pending].Status; t.withdrawn.IsZero() && s != nil && s.Epoch >= r.Epoch {
			t.withdrawn = now
		}
		o.Withdrawn = t.withdrawn
	}
	return o
}

// pause is how long nothing needs to be looked at, unless something happens.
func (t *term) pause() time.Duration {
	every := t.settings.Failover.Probe.Interval.Std()
	r := t.record
	if !t.known || r == nil || r.Pending != "" || t.failed > 0 {
		return min(quick, every)
	}
	if mqtt, _ := t.view.silence(r.Active, time.Now()); mqtt > 2*every {
		return min(quick, every) // the verdict is near
	}
	return every
}
