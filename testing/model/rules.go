package model

import (
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// The rules here are the runtimes' own, which export no function for them. Each
// names what it mirrors: whoever changes one there changes it here.

// silence is failover's view.silence: how long nothing was heard, and whether
// that means anything.
func silence(heard, started, now time.Time, p config.FailoverProbe) (time.Duration, bool) {
	if !heard.IsZero() {
		return now.Sub(heard), true
	}
	d := now.Sub(started)
	return d, d >= p.Silence()
}

// standsBy is agent's postLink and the gate: whether a guard has its broker
// take part in a link as the standby.
func standsBy(r *record.Record, role string) bool {
	return r != nil && r.Active != role && r.Pending == ""
}

// fresh is agent's child.fresh: whether a run may take part in a link as the
// standby's.
func fresh(r *run) bool { return r != nil && r.empty && !r.served && !r.linked }

// otherServes is agent's Guard.otherServes: whether the other broker can fill
// this one, by what its guard said when it was asked, which must have been a while
// after the link went down: what took the link may have taken the broker.
func otherServes(r *record.Record, role string, s *record.Status, heard, now, linkDown time.Duration, p config.FailoverProbe) bool {
	return standsBy(r, role) && s != nil && s.Run != "" && s.Healthy && heard > linkDown+deathNoticed && now-heard <= time.Second+p.Timeout.Std()
}

// deathNoticed is agent's.
const deathNoticed = 250 * time.Millisecond
