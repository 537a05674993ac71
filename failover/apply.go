package failover

import (
	"context"
	"errors"
	"strings"
	"time"
)

// leads tells whether the Service is to lead to the record's active broker in the
// same write.
func (k Kind) leads() bool {
	return k == Bootstrap || k == Repair || k == Finish || k == Restore
}

// apply carries an action out and tells whether the record has changed by it.
func (t *term) apply(ctx context.Context, a Action) bool {
	if a.Kind == Nothing {
		if t.said != a.Reason {
			t.said = a.Reason
			t.log.Info("decision", "do", a.Kind, "reason", a.Reason, "epoch", t.epoch())
		}
		return false
	}
	t.said = ""
	within, cancel := context.WithTimeout(ctx, t.limit())
	began := time.Now()
	err := t.ports.Store.Write(within, t.service.Text, a.Record, a.Kind.leads())
	cancel()
	t.writes++
	t.readAt = time.Time{}
	t.counts.add(metricDecisions, string(a.Kind))
	t.logWrite(a, time.Since(began), err)
	if err != nil {
		// Written or not: nothing more is done before it was read again.
		t.known = false
		if !errors.Is(err, ErrConflict) {
			t.counts.add(metricAPIErrors, "write")
			t.rest = time.Now().Add(RestAfter(t.failed))
			t.failed++
		}
		return false
	}
	t.failed = 0
	r := a.Record
	t.service = t.service.written(r, a.Kind.leads(), t.settings)
	t.record, t.newest = &r, &r
	t.hold.Written()
	t.push(ctx)
	t.tell(ctx, a)
	if a.Kind == Finish {
		t.counts.add(metricSwitches, r.Last.Reason)
	}
	return true
}

// epoch is that of the record, 0 where there is none.
func (t *term) epoch() int64 {
	if t.record == nil {
		return 0
	}
	return t.record.Epoch
}

// logWrite is the one line that each decision has.
func (t *term) logWrite(a Action, took time.Duration, err error) {
	args := []any{
		"do", a.Kind, "reason", a.Reason, "epoch", a.Record.Epoch, "active", a.Record.Active,
		"standby", a.Record.Standby, "ready", a.Record.Ready, "pending", a.Record.Pending, "took", took,
	}
	if a.Kind == Finish && a.Record.Last != nil {
		args = append(args, "outage", a.Record.Last.Outage.Std())
	}
	if err != nil {
		t.log.Warn("decision", append(args, "error", err.Error())...)
		return
	}
	t.log.Info("decision", args...)
}

// tell makes an event of what people want to know.
func (t *term) tell(ctx context.Context, a Action) {
	e, ok := eventOf(a)
	if !ok {
		return
	}
	t.beside.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, t.limit())
		defer cancel()
		if err := t.ports.Store.Event(ctx, e); err != nil && ctx.Err() == nil {
			t.counts.add(metricAPIErrors, "event")
			t.log.Warn("creating an event", "reason", e.Reason, "error", err.Error())
		}
	})
}

// eventOf is the event that goes with an action, if any does.
func eventOf(a Action) (Event, bool) {
	r := a.Record
	to := func(text string) string { return text + ": " + a.Reason }
	switch a.Kind {
	case Bootstrap:
		return Event{false, "FailoverStarted", to("the " + r.Active + " serves")}, true
	case Confirm:
		return Event{false, "StandbyReady", to("standby")}, true
	case Drop:
		return Event{true, "StandbyLost", to("no standby")}, true
	case Begin:
		return Event{!r.Planned, "SwitchBegun", to("from the " + r.Active + " to the " + r.Pending)}, true
	case Cancel:
		return Event{true, "SwitchCancelled", to("the " + r.Active + " serves on")}, true
	case Finish:
		return Event{false, "SwitchFinished", to("the " + r.Active + " serves, after " + round(r.Last.Outage.Std()).String())}, true
	case Pause:
		return Event{false, map[bool]string{true: "FailoverPaused", false: "FailoverResumed"}[r.Paused], to("automatic switches")}, true
	case Repair, Restore:
		return Event{true, "ServiceRepaired", to("the " + r.Active + " is selected again")}, true
	case Answer:
		return Event{strings.HasPrefix(a.Reason, "refused"), "RequestAnswered", a.Reason}, true
	}
	return Event{}, false
}

// round makes a duration readable.
func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
