package record

// Status is what a guard says of its broker.
type Status struct {
	// Role is the broker's.
	Role string `json:"role"`
	// Boot tells this guard's process from others.
	Boot string `json:"boot"`
	// Revision goes up with each change of the rest, within a boot.
	Revision int64 `json:"revision"`
	// Epoch is that of the newest record that the guard has read and obeyed.
	Epoch int64 `json:"epoch"`
	// Record is that record, should the Service lose it; nil where none is known.
	Record *Record `json:"record,omitempty"`
	// Run tells this start of the broker from others; "" while it is down.
	Run string `json:"run,omitempty"`
	// Slot is the one of this run, see config.ClientPort, or while there is
	// none of the last.
	Slot int `json:"slot,omitempty"`
	// Healthy says that the broker answers its guard.
	Healthy bool `json:"healthy"`
	// Down says why there is no Run: "starting", "crashed", "hung", "fenced",
	// "stopped", "leaving".
	Down string `json:"down,omitempty"`
	// Leaving says that the pod is told to end.
	Leaving bool `json:"leaving,omitempty"`
	// Fresh says that the run began empty and has taken part in no link.
	Fresh bool `json:"fresh,omitempty"`
	// Linked says that the bridge between the brokers is up.
	Linked bool `json:"linked,omitempty"`
	// Unlinked is how long it has been down, in milliseconds, when the answer
	// was given; 0 while it is up, or never was in this run.
	Unlinked int64 `json:"unlinked,omitempty"`
	// Synced says that the run, a standby's, has had all that the active one has.
	Synced bool `json:"synced,omitempty"`
	// Data says that there is data of an earlier run, for the first choice of
	// an active broker.
	Data bool `json:"data,omitempty"`
}

// Vote is what a controller says of both brokers. Silences are in
// milliseconds, counted from the sending of the last question that was
// answered.
type Vote struct {
	Voter string `json:"voter"`
	// Silence is, for each role, how long no MQTT round trip has succeeded.
	Silence map[string]int64 `json:"silence"`
	// Guard is the same for the guard's status.
	Guard map[string]int64 `json:"guard"`
}

// Word is what the standby's guard answers to the active one's: whether, of
// this epoch, nobody has asked it to take over.
type Word struct {
	Epoch int64 `json:"epoch"`
	Given bool  `json:"given"`
}
