package failover

import (
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// Observation is all that the leader decides by.
type Observation struct {
	// Now is the leader's clock.
	Now time.Time
	// Me is the leader's identity, as in the Lease and the record.
	Me       string
	Settings config.Agent
	// Record is as last read or written; nil where there is none.
	Record *record.Record
	// Known is the newest that the leader has read or written in its term; nil
	// where it has done neither.
	Known *record.Record
	// Selector is the role that the clients' Service selects, "" for none, and
	// Targets are where its ports lead to, by their names.
	Selector string
	Targets  map[string]int
	// Brokers are both, by role.
	Brokers map[string]Broker
	// Withdrawn is when the standby's guard was first seen to have read the
	// present record, with Pending in it; zero until then.
	Withdrawn time.Time
	// Started is when this leader began to lead.
	Started time.Time
	// Request is what somebody asks for, dealt with or not; nil for nothing.
	Request *record.Request
	// Paused says that somebody wants nothing switched.
	Paused bool
}

// Broker is one broker as the leader sees it.
type Broker struct {
	// Status is its guard's last answer; nil where there was none.
	Status *record.Status
	// Heard is when that answer was asked for.
	Heard time.Time
	// Seen is when the broker was last known to serve.
	Seen time.Time
	// Votes are the controllers' newest, the leader's own among them, without
	// those that are too old to count.
	Votes []Vote
}

// Vote is for how long a controller has heard nothing from a broker, and from
// its guard.
type Vote struct {
	Voter       string
	MQTT, Guard time.Duration
}

// bootstrapWait is how long a first leader waits for the primary's guard before
// it makes the secondary the active one.
const bootstrapWait = 10 * time.Second

// patience is by how much longer a broker may be silent whose guard says that
// it is well: then a single path is cut, or loses much.
const patience = 3

// heard tells whether the guard's last answer is fresh.
func (o Observation) heard(role string) bool {
	p := o.Settings.Failover.Probe
	b := o.Brokers[role]
	return b.Status != nil && o.Now.Sub(b.Heard) <= p.Interval.Std()+p.Timeout.Std()
}

// newest is the record with the highest epoch that the leader or a guard knows.
func (o Observation) newest() *record.Record {
	all := []*record.Record{o.Known}
	for _, role := range roles {
		if s := o.Brokers[role].Status; s != nil {
			all = append(all, s.Record)
		}
	}
	newest := o.Record
	for _, r := range all {
		if r != nil && (newest == nil || r.Epoch > newest.Epoch) {
			newest = r
		}
	}
	return newest
}

// misled says where clients are led that isn't where the record says, if so. Ports
// that the Service lacks were taken out of it by somebody.
func (o Observation) misled() (string, bool) {
	r := o.Record
	if o.Selector != r.Active {
		return fmt.Sprintf("the Service selects %q", o.Selector), true
	}
	for i, l := range o.Settings.Clients {
		if to, ok := o.Targets[l.Name]; ok && to != config.ClientPort(i, r.Slot) {
			return fmt.Sprintf("the Service's port %s leads to %d", l.Name, to), true
		}
	}
	if s := o.Brokers[r.Active].Status; o.heard(r.Active) && s.Run != "" && s.Slot != r.Slot {
		return fmt.Sprintf("the active broker runs in slot %d", s.Slot), true
	}
	return "", false
}

// slot is the one that the broker runs in, as far as is known, or is to start in.
func (o Observation) slot(role string) int {
	if s := o.Brokers[role].Status; s != nil && s.Run != "" {
		return s.Slot
	}
	return o.Record.Slot
}

// serving tells whether the broker runs and is well, by its guard's fresh word.
func (o Observation) serving(role string) bool {
	s := o.Brokers[role].Status
	return o.heard(role) && s.Run != "" && s.Healthy
}

// silent tells whether most controllers have long heard nothing: neither from
// the broker nor from its guard, or for longer from the broker alone.
func (o Observation) silent(role string) bool {
	limit := o.Settings.Failover.Probe.Silence()
	against := 0
	for _, v := range o.Brokers[role].Votes {
		if v.MQTT >= limit && v.Guard >= limit || v.MQTT >= patience*limit {
			against++
		}
	}
	return against > o.Settings.Replicas/2
}

// unguarded tells whether half of the controllers, of three two, have heard nothing
// from the broker's guard for so long. Of two, one may be gone with the broker's node.
func (o Observation) unguarded(role string, limit time.Duration) bool {
	against := 0
	for _, v := range o.Brokers[role].Votes {
		if v.Guard >= limit {
			against++
		}
	}
	return 2*against >= o.Settings.Replicas
}

// reachable tells whether half of the controllers, of three two, can use the broker:
// of two one may be away in a drain, whose broker this one is to replace.
func (o Observation) reachable(role string) bool {
	limit := o.Settings.Failover.Probe.Silence()
	reached := 0
	for _, v := range o.Brokers[role].Votes {
		if v.MQTT < limit {
			reached++
		}
	}
	return 2*reached >= o.Settings.Replicas
}

// target tells whether the broker can take over: it is up, in the run that is
// known to have everything. A pod that is told to end will do: its guard has it
// serve until the other broker is back.
func (o Observation) target(role string) bool {
	return o.serving(role) && o.Brokers[role].Status.Run == o.Record.Run && o.reachable(role)
}

// staying tells whether the broker can take over and hasn't been told to end.
func (o Observation) staying(role string) bool {
	return o.target(role) && !o.Brokers[role].Status.Leaving
}

// spoilt says why the standby can't be one any more, if so. To drop a standby that
// has its copy still is to give that up: the active broker, where it is down, begins
// again with what it had saved, and the standby is emptied for it. So the active one
// must be well, by a fresh word. While it isn't, it takes over or is waited for:
// that nobody answers may be no more than a machine on which all of them stood
// still, and a guard that holds its broker for the standby does so for a while only.
// Where a switch is under way, the active broker was stopped for it, and a standby
// that stays away for long is given up.
func (o Observation) spoilt(role string) (string, bool) {
	b := o.Brokers[role]
	limit := o.Settings.Failover.Probe.Silence()
	well := o.serving(o.Record.Active)
	switching := o.Record.Pending != ""
	switch {
	case b.Status == nil || o.Now.Sub(b.Heard) > limit:
		// It may be the leader alone who hears nothing.
		return "its guard doesn't answer", well && o.unguarded(role, limit) || switching && o.unguarded(role, patience*limit)
	case b.Status.Run == "":
		return "its broker is down", true
	case b.Status.Run != o.Record.Run:
		return "its broker has begun anew", true
	case b.Status.Leaving && !switching:
		return "its pod is told to end", well
	case !b.Status.Healthy:
		return "its broker doesn't answer", well || switching
	case time.Duration(b.Status.Unlinked)*time.Millisecond > limit:
		return "the bridge is down", well
	}
	return "", false
}

// lost says why the active broker has to be replaced, if so, and whether there
// is time to do so politely.
func (o Observation) lost(role string) (reason string, planned, ok bool) {
	s := o.Brokers[role].Status
	switch {
	case o.heard(role) && s.Run == "":
		return "broker " + s.Down, false, true
	case o.heard(role) && s.Leaving:
		return "pod told to end", true, true
	case o.silent(role):
		return "broker silent", false, true
	}
	return "", false, false
}
