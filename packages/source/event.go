package source

import "time"

// State is what has become of a step.
type State int

// The states of a step. A step is either Cached, or Started and then Done or
// Failed.
const (
	// Waiting is for another process that builds in the same cache.
	Waiting State = iota
	// Started is a step that now runs.
	Started
	// Cached is a step whose result was there already.
	Cached
	// Done is a step that has run to its end.
	Done
	// Failed is a step that ended in an error, or was interrupted.
	Failed
)

// Event tells the progress of one step.
type Event struct {
	Step    string
	State   State
	Elapsed time.Duration // since it started: for Done and Failed
}
