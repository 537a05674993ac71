package model

// Mutation is a bug that is seeded into the simulation, around the shipped
// functions, to show that it would be found.
type Mutation int

// The seeded bugs.
const (
	None          Mutation = iota
	NoWait                 // the switch is finished as soon as it is pending
	EpochNotFirst          // a new leader neither claims the record first nor compares before it writes
	Vouching               // the controller beside a guard gives it permits
	DataKept               // a broker that rejoins keeps its data
	NoHoldDown             // a lost active broker is started again at once
	SlotKept               // a broker that rejoins listens where it did when it served
	OlderTaken             // a record that is older than what the guards know is gone on from
	StaleWord              // a standby begins anew by what was known of the active one before the link went down
	DropUnheard            // a standby whose guard most controllers don't hear is dropped, however the active one is
)

// String returns what the bug is.
func (m Mutation) String() string {
	return [...]string{"none", "no wait before the switch", "epoch not written first", "a co-located replica's vouching", "data kept on rejoin", "no hold-down", "a slot kept on rejoin", "an older record gone on from", "a standby emptied by old news", "a standby dropped in the dark"}[m]
}
