package agent

import (
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// The rules that a guard goes by besides Decide. They depend on what they are given
// alone: testing/model runs them, too. Times are as in Observation.

// StandsBy tells whether the broker of that role may take part in a link as the
// standby.
func StandsBy(r *record.Record, role string) bool {
	return r != nil && r.Active != role && r.Pending == ""
}

// Fresh tells whether a run may take part in a link as the standby's: it began
// empty, the record hasn't named it active, and it was in no link before.
func Fresh(empty, served, linked bool) bool { return empty && !served && !linked }

// startGrace is how long a broker that began empty may take to answer first,
// and loadGrace one that has to read what it saved.
const (
	startGrace = 5 * time.Second
	loadGrace  = time.Minute
)

// patience is how many times as long as makes a broker hung makes it stuck.
const patience = 10

// Hung tells whether a broker has stopped answering, and whether for so long that
// it is stuck. silent is how long it hasn't answered, below 0 where it never has in
// this run, which began age ago.
func Hung(p config.FailoverProbe, silent, age time.Duration, empty bool) (hung, stuck bool) {
	switch {
	case silent >= 0:
		return silent >= p.Silence(), silent >= patience*p.Silence()
	case empty:
		hung = age >= startGrace
	default:
		hung = age >= loadGrace
	}
	return hung, hung
}

// stopGrace is how long a broker that is told to end may take, to save what it
// has, where nothing else bounds it.
const stopGrace = 10 * time.Second

// Overdue tells whether a broker that is told to end since stopping has had its
// time. In a switch that is as long as its permit would have lasted: then the other
// one serves, whatever was heard of this one.
func Overdue(o Observation, stopping time.Duration) bool {
	if r := o.Record; r != nil && r.Active == o.Role && r.Standby != "" && !permitted(o) {
		return true
	}
	return o.Now-stopping >= stopGrace
}

const (
	firstPause = 250 * time.Millisecond
	lastPause  = 10 * time.Second
)

// Pause is the time before the next start after that many in vain: the first is
// made at once.
func Pause(failures int) time.Duration {
	if failures < 2 {
		return 0
	}
	return min(lastPause, firstPause<<min(failures-2, 10))
}

const (
	// OtherWait is how long the other guard may keep a question for its status, for
	// want of news.
	OtherWait = 500 * time.Millisecond
	// deathNoticed is after how long a guard is sure to say that its broker has
	// ended. The broker's connections end before: the kernel closes them, and then
	// tells.
	deathNoticed = 250 * time.Millisecond
)

// Other is what a guard knows of the other broker.
type Other struct {
	Status *record.Status // nil before the first
	Heard  time.Duration  // when that was asked for
}

// Up tells whether the other guard has lately said that its broker runs.
func (other Other) Up(now time.Duration, p config.FailoverProbe) bool {
	s := other.Status
	return s != nil && s.Run != "" && now-other.Heard <= 2*OtherWait+p.Timeout.Std()
}

// Serves tells whether the other broker is the active one, up, and not about to be
// replaced: whoever is active alone can fill a standby. What its guard said until
// since, when the link was down for a while, doesn't count, for what took the link
// may have taken the broker: this one may have all that is left.
func (other Other) Serves(r *record.Record, role string, now, since time.Duration, p config.FailoverProbe) bool {
	return StandsBy(r, role) && other.Up(now, p) && other.Status.Healthy && other.Heard > since+deathNoticed
}

// Switching is since when a switch is known to be under way.
type Switching struct {
	under bool
	since time.Duration
}

// Note takes note of a newer record.
func (s *Switching) Note(r record.Record, now time.Duration) {
	if r.Pending == "" || !s.under {
		s.since = now
	}
	s.under = r.Pending != ""
}

// Drained tells whether what a broker that is being replaced has said to the other
// one has had the time that the leader allows for: it counts from no earlier. What
// comes later would come after what the new active broker is told by its clients,
// and undo it.
func (s *Switching) Drained(r record.Record, now time.Duration, p config.FailoverPermit) bool {
	return r.Pending != "" && now-s.since >= record.Drain(p, r.Planned)
}
