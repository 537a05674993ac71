package failover

import (
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// Kind is what the leader does. All but Nothing write the record; Bootstrap,
// Restore, Repair and Finish have the Service lead to the record's Active, in its
// Slot, in the same write.
type Kind string

// The kinds of actions.
const (
	Nothing   Kind = "nothing"
	Bootstrap Kind = "bootstrap" // choose the first active broker
	Restore   Kind = "restore"   // a record that the Service has lost
	Claim     Kind = "claim"     // a new leader's first write, which stops the old one's
	Repair    Kind = "repair"    // the Service leads elsewhere
	Pause     Kind = "pause"     // or its end
	Propose   Kind = "propose"   // a standby, so that the active broker needs permits
	Confirm   Kind = "confirm"   // the active broker's guard has read that
	Drop      Kind = "drop"      // the standby is none any more
	Begin     Kind = "begin"     // a switch: the active broker must stop
	Cancel    Kind = "cancel"    // the switch: the active broker may go on
	Finish    Kind = "finish"    // the switch: clients are led to the other broker
	Answer    Kind = "answer"    // a request that can't be fulfilled
)

// Action is what to do, and why.
type Action struct {
	Kind   Kind
	Record record.Record // to write; the zero value with Nothing
	Reason string
}

// Decide says what the leader does next. It depends on o alone.
func Decide(o Observation) Action {
	switch r := o.Record; {
	case o.newest() != r:
		return restore(o)
	case r == nil:
		return bootstrap(o)
	case r.Leader != o.Me:
		return o.write(Claim, "a new leader", func(*record.Record) {})
	case r.Pending != "":
		return finish(o)
	}
	if reason, misled := o.misled(); misled {
		return o.write(Repair, reason, func(r *record.Record) { r.Slot = o.slot(r.Active) })
	}
	if r := o.Record; o.Paused != r.Paused {
		return o.write(Pause, map[bool]string{true: "paused", false: "resumed"}[o.Paused], func(r *record.Record) { r.Paused = o.Paused })
	}
	for _, step := range []func(Observation) (Action, bool){replace, obey, failback, attend} {
		if a, ok := step(o); ok {
			return a
		}
	}
	return Action{Kind: Nothing, Reason: "all is as it should be"}
}

// write is an action that changes a copy of the record.
func (o Observation) write(kind Kind, reason string, change func(*record.Record)) Action {
	var r record.Record
	if o.Record != nil {
		r = *o.Record
	}
	change(&r)
	r.Epoch, r.Leader = r.Epoch+1, o.Me
	if kind != Claim || r.Pending == "" { // a switch keeps its own
		r.Reason = reason
	}
	return Action{Kind: kind, Record: r, Reason: reason}
}

// restore puts back the newest record that is known. Whatever has taken it away or
// put an older one in its place, such as a `kubectl replace` or a restored backup,
// can't have meant to; and the guards obey no record that is older than theirs.
func restore(o Observation) Action {
	reason := "the record was gone from the Service"
	if o.Record != nil {
		reason = fmt.Sprintf("the Service had an older record, of epoch %d", o.Record.Epoch)
	}
	o.Record = o.newest()
	return o.write(Restore, reason, func(*record.Record) {})
}

// bootstrap chooses the first active broker: the primary, unless it isn't there
// or has nothing where the secondary has something.
func bootstrap(o Observation) Action {
	const first, second = config.RolePrimary, config.RoleSecondary
	role := first
	has := func(role string) bool { return o.heard(role) && o.Brokers[role].Status.Data }
	switch {
	case o.heard(first) && (has(first) || !has(second)):
	case o.heard(first):
		role = second
	case !o.heard(second) || o.Now.Sub(o.Started) < bootstrapWait:
		return Action{Kind: Nothing, Reason: "waiting for the brokers' guards"}
	default:
		role = second
	}
	return o.write(Bootstrap, "the first record", func(r *record.Record) {
		r.Active, r.Since = role, o.Now
		if s := o.Brokers[role].Status; s != nil {
			r.Slot = s.Slot
		}
	})
}

// begin is the first step of a switch to the standby.
func begin(o Observation, reason string, planned bool) Action {
	return o.write(Begin, reason, func(r *record.Record) { r.Pending, r.Planned = r.Standby, planned })
}

// replace switches from an active broker that is lost, or about to be.
func replace(o Observation) (Action, bool) {
	r := o.Record
	reason, planned, lost := o.lost(r.Active)
	able := o.target
	if planned { // there is time to wait for a standby that stays
		able = o.staying
	}
	if !lost || !r.Ready || r.Paused || !able(r.Standby) {
		return Action{}, false
	}
	return begin(o, reason, planned), true
}

// obey deals with a request.
func obey(o Observation) (Action, bool) {
	r, q := o.Record, o.Request
	if q == nil || q.ID == r.Request {
		return Action{}, false
	}
	answer := func(reason string) (Action, bool) {
		return o.write(Answer, reason, func(r *record.Record) { r.Request = q.ID }), true
	}
	switch {
	case q.To == r.Active:
		return answer("asked for: " + q.To + " is active already")
	case q.To != record.Other(r.Active):
		return answer(fmt.Sprintf("refused: %q is no broker", q.To))
	case !r.Ready:
		return answer("refused: " + q.To + " isn't ready")
	case !o.staying(r.Standby): // it will be in a moment, or be dropped
		return Action{}, false
	}
	a := begin(o, "asked for", true)
	a.Record.Request = q.ID
	return a, true
}

// failback switches to a primary that has been ready for long.
func failback(o Observation) (Action, bool) {
	r, f := o.Record, o.Settings.Failover.Failback
	due := f.Mode == config.FailbackAuto && r.Active != config.RolePrimary && r.Ready && !r.Paused &&
		o.Now.Sub(r.ReadyAt) >= f.After.Std()
	if !due || !o.staying(r.Standby) {
		return Action{}, false
	}
	return begin(o, "failback", true), true
}

// attend keeps the record of the standby true.
func attend(o Observation) (Action, bool) {
	r := o.Record
	role := record.Other(r.Active)
	if r.Standby == "" {
		s := o.Brokers[role].Status
		able := o.serving(role) && o.serving(r.Active) && s.Linked && s.Synced && !s.Leaving && o.reachable(role)
		if !able {
			return Action{}, false
		}
		return o.write(Propose, role+" has everything", func(r *record.Record) { r.Standby, r.Run = role, s.Run }), true
	}
	if reason, spoilt := o.spoilt(role); spoilt {
		return o.write(Drop, role+" can't take over: "+reason, func(r *record.Record) { r.Standby, r.Run, r.Ready, r.ReadyAt = "", "", false, time.Time{} }), true
	}
	if !r.Ready && o.heard(r.Active) && o.Brokers[r.Active].Status.Epoch >= r.Epoch {
		return o.write(Confirm, role+" is ready to take over", func(r *record.Record) { r.Ready, r.ReadyAt = true, o.Now }), true
	}
	return Action{}, false
}

// finish goes on with a switch: once the old active broker is known to have
// stopped, or can't have a permit any more, clients are led to the new one.
func finish(o Observation) Action {
	r := o.Record
	from, to := r.Active, r.Pending
	if !o.target(to) {
		if reason, spoilt := o.spoilt(to); spoilt && o.heard(from) {
			return o.write(Cancel, to+" can't take over: "+reason, func(r *record.Record) {
				r.Pending, r.Planned, r.Standby, r.Run, r.Ready, r.ReadyAt = "", false, "", "", false, time.Time{}
			})
		}
		return Action{Kind: Nothing, Reason: "waiting for " + to + ", which is to take over"}
	}
	if o.Withdrawn.IsZero() {
		return Action{Kind: Nothing, Reason: "waiting for the standby's guard to withdraw its word"}
	}
	waited := o.Now.Sub(o.Withdrawn)
	p := o.Settings.Failover.Permit
	f := o.Brokers[from]
	stopped := o.heard(from) && f.Status.Epoch >= r.Epoch && f.Status.Run == ""
	// What the old broker sent to the new one before it stopped is on its way.
	drained := !o.Brokers[to].Status.Linked || waited >= record.Drain(p, r.Planned)
	if !(stopped && drained) && waited < p.Age.Std()+p.Margin.Std() {
		return Action{Kind: Nothing, Reason: "waiting for the old active broker to stop, or for its permit to end"}
	}
	return o.write(Finish, r.Reason, func(r *record.Record) {
		last := &record.Switch{From: from, To: to, At: o.Now, Reason: r.Reason, Outage: config.Duration(max(0, o.Now.Sub(f.Seen)))}
		if f.Seen.IsZero() {
			last.Outage = 0
		}
		*r = record.Record{Epoch: r.Epoch, Active: to, Slot: o.slot(to), Paused: r.Paused, Request: r.Request, Since: o.Now, Last: last}
	})
}
