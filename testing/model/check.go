package model

import (
	"strconv"

	"github.com/mosqbuild/mosqbuild/agent"
	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// ledger is what the invariants are checked by: the truth, which none of the
// simulated programs sees.
type ledger struct {
	epochs   map[int64]string // who wrote which
	newest   int64            // the highest of them
	switches int
	kills    int // of active brokers by their guards
}

// wrote checks a write of the record: epochs go up by one, and one controller
// writes each; unless an older record was put back.
func (l *ledger) wrote(w *World, old, next *record.Record, from *controller) {
	if l.epochs == nil {
		l.epochs = map[int64]string{}
	}
	back := old != nil && old.Epoch < l.newest
	if old != nil && !back && next.Epoch != old.Epoch+1 {
		w.fail("%s writes epoch %d after %d", from.name, next.Epoch, old.Epoch)
	}
	l.newest = max(l.newest, next.Epoch)
	if by, taken := l.epochs[next.Epoch]; taken && !back {
		w.fail("%s writes epoch %d, which %s has written", from.name, next.Epoch, by)
	}
	l.epochs[next.Epoch] = from.name
	if old != nil && old.Active != next.Active {
		l.switches++
	}
}

// writers checks that of both brokers at most one accepts what clients write:
// the one that is selected, or that was during this run.
func (l *ledger) writers(w *World) {
	writing := 0
	for i, b := range w.brokers {
		if b.run == nil {
			continue
		}
		if w.api.service.selector == roles[i] {
			b.run.led = true
		}
		if b.run.led && !b.run.hung {
			writing++
		}
	}
	if writing > 1 {
		w.fail("two writers: the %s's run %d and the %s's run %d", roles[0], w.brokers[0].run.id, roles[1], w.brokers[1].run.id)
	}
}

// decided checks that a switch goes to a broker that was up when its guard was
// asked, in the run that has everything.
func (l *ledger) decided(c *controller, o failover.Observation, a failover.Action) {
	if a.Kind != failover.Begin && a.Kind != failover.Finish {
		return
	}
	w, to := c.w, index(record.Other(o.Record.Active))
	id, _ := strconv.Atoi(o.Record.Run)
	if id == 0 || id >= len(w.runs) {
		w.fail("%s to the %s, which has no run %q", a.Kind, roles[to], o.Record.Run)
		return
	}
	r := w.runs[id]
	switch {
	case r.role != to || !r.up && r.ended < c.sides[to].truth:
		w.fail("%s to the %s's run %d, which had ended", a.Kind, roles[to], id)
	case !r.complete:
		w.fail("%s to the %s's run %d, which lacks something", a.Kind, roles[to], id)
	}
}

// began checks that a broker that was lost isn't back before the standby, which
// has everything, could take over.
func (l *ledger) began(w *World, r *run, emptied bool) {
	l.writers(w)
	rec, b := w.api.service.rec, w.brokers[r.role]
	if rec == nil || emptied || rec.Active != roles[r.role] || rec.Standby == "" || !rec.Ready || rec.Paused || b.stopped == 0 {
		return
	}
	if known := w.guards[r.role].ledger.Record(); known == nil || known.Paused {
		return // then it is to begin again, by somebody's wish
	}
	s := w.brokers[1-r.role]
	if s.answers() && s.run.complete && strconv.Itoa(s.run.id) == rec.Run && w.now-b.stopped < w.settings.Failover.HoldDown.Std()*99/100 {
		w.fail("the %s, which has lost what it had retained, begins again beside a standby that has it all", roles[r.role])
	}
}

// ends checks that a guard ends an active broker for a reason alone.
func (l *ledger) ends(g *guard, o agent.Observation, a agent.Action) {
	r := o.Record
	if r == nil || r.Active != o.Role {
		return
	}
	if o.Broker.Run != "" && !o.Broker.Hung && o.Leaving < 0 {
		l.kills++
	}
	fenced := r.Standby != "" && (o.Permit < 0 || o.Now-o.Permit > o.Settings.Failover.Permit.Age.Std())
	if r.Pending == "" && !o.Broker.Hung && o.Leaving < 0 && !fenced {
		g.w.fail("the %s's guard ends a broker that may serve: %s", o.Role, a.Reason)
	}
	late := o.Now - max(o.Permit, g.needs) - o.Settings.Failover.Permit.Age.Std()
	if late = min(late, g.w.now-g.stood); fenced && !o.Broker.Hung && late > o.Settings.Failover.Permit.Margin.Std() {
		g.w.fail("the %s's guard notices %s late that its permit has ended", o.Role, late)
	}
	if p := o.Settings.Failover.Probe; fenced && !o.Broker.Hung && o.Now-g.needs < p.Interval.Std()+p.Timeout.Std() {
		g.w.fail("the %s's guard ends a broker that may serve, %s after it was told that it needs permits", o.Role, o.Now-g.needs)
	}
}
