package model

import (
	"fmt"
	"time"
)

// Plan is one episode: what comes about follows from it alone.
type Plan struct {
	Seed       uint64
	Persistent bool
	// Faults is what goes wrong; nil draws at random from all there is.
	Faults []fault
	// Calm says that none of it is a reason to switch or to stop a broker.
	Calm bool
	// Single has the clients fall silent before the first fault: what they have
	// had retained must then survive.
	Single bool
}

// Result is what came of a plan.
type Result struct {
	Seed     uint64
	Err      error
	Trace    []string
	Steps    int
	Switches int
}

// settled is how long a pair may take to be ready again, after everything was
// mended: a held broker waits for holdDown, a leaving one for leave, and a new
// leader for the Lease.
func (w *World) settled() time.Duration {
	f := w.settings.Failover
	return f.HoldDown.Std() + f.Leave.Std() + f.Lease.Duration.Std() + 30*time.Second
}

// Execute runs a plan in a cluster with that mutation.
func Execute(plan Plan, mutation Mutation) Result {
	w := NewWorld(plan, mutation)
	w.play()
	r := Result{Seed: plan.Seed, Err: w.violation, Trace: w.trace, Steps: w.steps, Switches: w.check.switches}
	return r
}

func (w *World) play() {
	if !w.Until(30*time.Second, w.ready) {
		w.fail("no progress: a new pair isn't ready within 30s")
	}
	w.Run(w.now + w.between(100*time.Millisecond, 3*time.Second))
	if w.plan.Single {
		w.quiet = true
		w.Run(w.now + 500*time.Millisecond)
	}
	w.log("the pair is ready")
	before := w.brokers[w.leads()].run
	switches, kills := w.check.switches, w.check.kills
	if w.plan.Faults != nil {
		for _, f := range w.plan.Faults {
			w.inject(f)
			w.Run(w.now + w.between(0, 8*time.Second))
		}
	} else {
		for range 1 + w.rng.IntN(7) {
			w.inject(faults[w.rng.IntN(len(faults))])
			w.Run(w.now + w.pause())
		}
	}
	w.Run(w.now + w.between(0, 10*time.Second))
	w.heal()
	if !w.Until(w.settled(), w.ready) {
		w.fail("no progress: after all is mended the pair isn't ready within %s", w.settled())
	}
	if w.plan.Calm && (w.check.switches > switches || w.check.kills > kills) {
		w.fail("needless: %d switches, %d brokers stopped", w.check.switches-switches, w.check.kills-kills)
	}
	if after := w.brokers[w.leads()].run; w.plan.Single && w.violation == nil && before != nil && after.retained != before.retained {
		w.fail("one fault has lost what was retained: %v, and %v before", after.retained, before.retained)
	}
	w.compare()
}

// leads is the number of the active role.
func (w *World) leads() int {
	if rec := w.api.service.rec; rec != nil {
		return index(rec.Active)
	}
	return 0
}

// pause is the time between two faults: long, or such that they meet.
func (w *World) pause() time.Duration {
	if w.chance(3) {
		return w.between(0, 10*time.Second)
	}
	return w.between(0, 1800*time.Millisecond)
}

// compare has the clients fall silent, and compares what is retained.
func (w *World) compare() {
	w.quiet = true
	if !w.Until(w.settled(), w.ready) {
		w.fail("no progress: a pair that nobody uses isn't ready")
	}
	// What was lost on the way, and sent again and again, has arrived by then,
	// or the link has ended and the standby begun anew.
	w.Run(w.now + 8*time.Second)
	w.Until(w.settled(), w.ready)
	a, b := w.brokers[0].run, w.brokers[1].run
	if w.violation != nil || w.link == nil || a == nil || b == nil {
		return
	}
	for t := range topics {
		if a.retained[t] != b.retained[t] {
			w.fail("topic %d differs after all is quiet: version %d and %d", t, a.retained[t], b.retained[t])
		}
	}
}

// Shortest is the failed result of least trace, nil where none has failed.
func Shortest(results []Result) *Result {
	var best *Result
	for i := range results {
		if r := &results[i]; r.Err != nil && (best == nil || len(r.Trace) < len(best.Trace)) {
			best = r
		}
	}
	return best
}

// String is a trace as one reads it.
func (r Result) String() string {
	text := fmt.Sprintf("seed %d: %v\n", r.Seed, r.Err)
	for _, line := range r.Trace {
		text += line + "\n"
	}
	return text
}
