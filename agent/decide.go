package agent

import (
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// Observation is all that a guard decides by. Times are monotonic, counted from
// when the guard began.
type Observation struct {
	Now      time.Duration
	Role     string
	Settings config.Agent
	// Record is the newest one read or pushed; nil while none was read from
	// the API since the guard began.
	Record *record.Record
	// Permit is when the newest permit was asked for; below 0 there is none.
	Permit time.Duration
	Broker Broker
	// Leaving is since when the pod is told to end; below 0 it isn't.
	Leaving time.Duration
	// Relink says that the bridge asks for a link and that the active broker
	// is there, but that this standby's run isn't fresh.
	Relink bool
}

// Broker is the state of the guard's child.
type Broker struct {
	// Run tells this start from others; "" while the broker is down.
	Run string
	// Slot is the one of this run, or of the last: of a guard that has just begun,
	// any.
	Slot int
	// Empty says that the run began with an emptied data folder.
	Empty bool
	// Served says that the record has named the broker active during this run.
	Served bool
	// Hung says that the broker no longer answers its guard, and Stuck that it
	// hasn't for ten times as long as that takes, or never has.
	Hung, Stuck bool
	// Ended is when the last run ended, for whatever reason; 0 where there has
	// been none.
	Ended time.Duration
	// NotBefore is when it may be started again after starts that came to
	// nothing.
	NotBefore time.Duration
}

// Do is what a guard does to its broker.
type Do int

// What a guard does. Stop is SIGTERM, with SIGKILL after a while; Kill is
// SIGKILL; Exit ends the guard.
const (
	Nothing Do = iota
	Start
	Stop
	Kill
	Exit
)

// String returns the word for logs.
func (d Do) String() string { return [...]string{"nothing", "start", "stop", "kill", "exit"}[d] }

// Action is what to do, and why.
type Action struct {
	Do Do
	// Empty says that the data folder is to be emptied before Start.
	Empty bool
	// Slot is the one to Start in.
	Slot   int
	Reason string
}

// Decide says what to do about the broker. It depends on o alone.
//
// What it holds to: a broker that the record names active runs only with a
// permit, once there is a standby that could take over; any other broker begins
// empty, in a slot that clients weren't led to before, and never goes on with a
// run that has served; and while a switch is under way, the old active broker is
// down and the new one is left alone.
func Decide(o Observation) Action {
	if o.Leaving >= 0 {
		return leave(o)
	}
	switch {
	case o.Record == nil:
		return Action{Reason: "no record was read yet"}
	case o.Record.Active == o.Role:
		return serve(o)
	default:
		return stand(o)
	}
}

// serve is for the broker that the record names active.
func serve(o Observation) Action {
	if a, ok := mayNotServe(o); ok {
		return a
	}
	b, r := o.Broker, o.Record
	switch {
	case b.Run != "" && hung(o):
		return Action{Do: Kill, Reason: "hung: it doesn't answer"}
	case b.Run != "":
		return Action{Reason: "serving"}
	}
	// Whoever takes over has all that this one lost. To start would be to serve
	// without it, and to have the standby give up its copy.
	if r.Standby != "" && !r.Paused && o.Now-b.Ended < o.Settings.Failover.HoldDown.Std() {
		return Action{Reason: "down, and held for the standby to take over"}
	}
	return start(o, false, "active by the record")
}

// hung tells whether an active broker is to be given up. Where nobody can take
// over, it has more time: on a node that is only starved it would come back to no
// better, and without what it had.
func hung(o Observation) bool {
	return o.Broker.Stuck || o.Broker.Hung && o.Record.Standby != "" && !o.Record.Paused
}

// mayNotServe has the active broker stopped, or not started.
func mayNotServe(o Observation) (Action, bool) {
	r, up := o.Record, o.Broker.Run != ""
	switch {
	case r.Pending != "" && !up:
		return Action{Reason: "held: the other broker takes over"}, true
	case r.Pending != "" && r.Planned:
		return Action{Do: Stop, Reason: "the other broker takes over, as planned"}, true
	case r.Pending != "":
		return Action{Do: Kill, Reason: "the other broker takes over"}, true
	case r.Standby == "" || permitted(o):
		return Action{}, false
	case up:
		return Action{Do: Kill, Reason: "fenced: neither the record nor the standby's word could be had in time"}, true
	default:
		return Action{Reason: "held: no permit"}, true
	}
}

// permitted tells whether the newest permit still holds.
func permitted(o Observation) bool {
	return o.Permit >= 0 && o.Now-o.Permit <= o.Settings.Failover.Permit.Age.Std()
}

// stand is for the broker that the record doesn't name active.
func stand(o Observation) Action {
	b, up := o.Broker, o.Broker.Run != ""
	taking := o.Record.Pending == o.Role
	switch {
	case up && b.Stuck: // before, the leader has dropped it
		return Action{Do: Kill, Reason: "hung: it doesn't answer"}
	case up && b.Served:
		return Action{Do: Kill, Reason: "no longer active by the record"}
	case up && !b.Empty:
		return Action{Do: Kill, Reason: "it didn't begin empty"}
	case taking:
		return Action{Reason: "left as it is: it is to take over"}
	case up && o.Relink:
		return Action{Do: Kill, Reason: "to begin anew, empty, before the bridge is up again"}
	case up:
		return Action{Reason: "standing by"}
	default:
		return start(o, true, "standby by the record")
	}
}

// dropWait is how long a standby that is told to end waits for the record to
// name it so no more. Until then a switch to it may have begun, for the other
// one may be told to end as well.
const dropWait = 3 * time.Second

// leave is for a pod that is told to end: whoever serves goes on until the
// other one has taken over, or the time for that is up.
func leave(o Observation) Action {
	r := o.Record
	switch {
	case o.Broker.Run == "":
		return Action{Do: Exit, Reason: "told to end"}
	case r == nil:
		return Action{Do: Stop, Reason: "told to end"}
	case r.Active != o.Role && o.Broker.Stuck:
		return Action{Do: Kill, Reason: "hung: it doesn't answer"}
	case r.Pending == o.Role:
		return Action{Reason: "told to end, but it is to take over"}
	case r.Standby == o.Role && o.Now-o.Leaving < dropWait:
		return Action{Reason: "told to end, once it isn't the standby any more"}
	case r.Active != o.Role:
		return Action{Do: Stop, Reason: "told to end, and not active"}
	}
	if a, ok := mayNotServe(o); ok {
		return a
	}
	switch {
	case hung(o):
		return Action{Do: Kill, Reason: "hung: it doesn't answer"}
	case o.Now-o.Leaving >= o.Settings.Failover.Leave.Std():
		return Action{Do: Stop, Reason: "told to end, and nobody took over in time"}
	}
	return Action{Reason: "told to end, and serving until the other broker takes over"}
}

// start starts the active broker in the slot that clients are led to, and the
// standby, which begins empty, in the next of its own.
func start(o Observation, empty bool, reason string) Action {
	if o.Now < o.Broker.NotBefore {
		return Action{Reason: "waiting after starts that came to nothing"}
	}
	slot := o.Record.Slot
	if empty {
		slot = (o.Broker.Slot + 1) % config.Slots
	}
	return Action{Do: Start, Empty: empty, Slot: slot, Reason: reason}
}
