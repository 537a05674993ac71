package model

import (
	"time"

	"github.com/mosqbuild/mosqbuild/agent"
	"github.com/mosqbuild/mosqbuild/config"
)

// silence is failover's view.silence: how long nothing was heard, and whether
// that means anything.
func silence(heard, started, now time.Time, p config.FailoverProbe) (time.Duration, bool) {
	if !heard.IsZero() {
		return now.Sub(heard), true
	}
	d := now.Sub(started)
	return d, d >= p.Silence()
}

// fresh is agent.Fresh of a run, if there is one.
func fresh(r *run) bool { return r != nil && agent.Fresh(r.empty, r.served, r.linked) }
