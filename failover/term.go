package failover

import (
	"context"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

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
	newest     *record.Record
	hold       Hold
	withdrawal Withdrawal
	// writes counts them: what was read before one tells nothing after it.
	writes  int
	reading bool
	readAt  time.Time // when the last read began
	reads   chan reading
	pushing map[string]bool // the guards that a push is under way to
	pushes  chan string
	said    string // the reason for doing nothing, as last logged
	beside  sync.WaitGroup
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

// stale tells whether somebody else took over the record; see Hold.
func (t *term) stale(o Observation) bool {
	lost, news := t.hold.Lost(o)
	if news {
		t.log.Warn("standing down", "reason", "another controller has written the record", "leader", o.Record.Leader)
	}
	return lost
}

// observe puts together what there is to decide by.
func (t *term) observe(now time.Time) Observation {
	o := Observation{
		Now: now, Me: t.me, Settings: t.settings, Record: t.record, Known: t.newest, Selector: t.service.Selector, Targets: t.service.Targets,
		Brokers: t.view.brokers(now), Started: t.started,
		Request: parseRequest(t.service.Request), Paused: t.service.Paused == "true",
	}
	if r := t.record; r != nil && r.Pending != "" {
		o.Withdrawn = t.withdrawal.Since(*r, o.Brokers[r.Pending].Status, now)
	}
	return o
}

// pause is how long nothing needs to be looked at, unless something happens.
func (t *term) pause() time.Duration {
	var r *record.Record
	var silent time.Duration
	if t.known && t.record != nil && Settled(t.failed, t.rest, time.Now()) {
		r = t.record
		silent, _ = t.view.silence(r.Active, time.Now())
	}
	return LookAgain(r, silent, t.settings.Failover.Probe.Interval.Std())
}
