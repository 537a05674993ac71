package failover

import "github.com/mosqbuild/mosqbuild/internal/record"

// State is where a pair stands, as its record says.
type State string

// The states of a pair.
const (
	Unset     State = "unset"
	Alone     State = "alone"
	Proposed  State = "proposed"
	Ready     State = "ready"
	Switching State = "switching"
)

// StateOf returns the state that a record describes; nil is none.
func StateOf(r *record.Record) State {
	switch {
	case r == nil:
		return Unset
	case r.Pending != "":
		return Switching
	case r.Ready:
		return Ready
	case r.Standby != "":
		return Proposed
	default:
		return Alone
	}
}

// Meaning is what a state is.
type Meaning struct {
	State State
	Means string
}

// States returns every state, in the order in which a pair comes up.
func States() []Meaning {
	return []Meaning{
		{Unset, "There is no record: no broker runs, and nobody knows which was active last."},
		{Alone, "One broker is active and needs no permit. The other is down, or not in step yet."},
		{Proposed, "The standby has everything. The active broker needs permits as soon as its guard reads this; until it says so, nothing is switched."},
		{Ready, "The standby may take over. The active broker runs on permits."},
		{Switching, "The active broker gets no permit and must stop. The standby is left alone until it takes over."},
	}
}

// Transition is one way from state to state.
type Transition struct {
	From State
	Kind Kind
	To   State
	When string
}

// Transitions returns every one that Decide makes.
func Transitions() []Transition {
	all := []Transition{
		{Unset, Bootstrap, Alone, "a guard answers: the primary's, or after 10 s the secondary's; who has data goes first"},
		{Alone, Propose, Proposed, "both brokers are well, the bridge is up and the retained sets agree"},
		{Proposed, Confirm, Ready, "the active broker's guard has read the record"},
		{Proposed, Drop, Alone, "the standby is down or begun anew; or, while the active broker is well, hung, leaving, without the bridge, or its guard silent to half of the controllers (of three, to two)"},
		{Ready, Drop, Alone, "the same"},
		{Ready, Begin, Switching, "the active broker is down by its guard's word, silent to most controllers, or leaving; or somebody asks for it, or failback is due; and the standby is well"},
		{Switching, Finish, Alone, "the standby's guard has withdrawn its word, and the active broker's says that it has stopped, or permit.age + permit.margin have gone by"},
		{Switching, Cancel, Alone, "the standby can't take over after all, and the active broker's guard answers"},
	}
	for _, s := range []State{Alone, Proposed, Ready, Switching} {
		all = append(all,
			Transition{s, Restore, s, "the Service has lost this record: there is none, or an older one, and the leader or a guard knows it"},
			Transition{s, Claim, s, "a new leader begins"})
	}
	for _, s := range []State{Alone, Proposed, Ready} {
		all = append(all,
			Transition{s, Repair, s, "the clients' Service leads to another broker than the active one, to another port of it, or nowhere"},
			Transition{s, Pause, s, "somebody pauses or resumes"},
			Transition{s, Answer, s, "a request can't be fulfilled, or is so already"})
	}
	return all
}
