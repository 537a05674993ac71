package failover

import (
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// The rules that a controller goes by besides Decide. They depend on what they are
// given alone: testing/model runs them, too.

// Supersedes tells whether a guard's answer says something new, and whether it is to
// be kept in place of old, nil for none. newer says that it was asked for after old:
// answers may come in another order than they were asked for.
func Supersedes(old *record.Status, st record.Status, newer bool) (news, keep bool) {
	switch {
	case old == nil, old.Boot == st.Boot && st.Revision > old.Revision, old.Boot != st.Boot && newer:
		return true, true
	default:
		return false, old.Boot == st.Boot && st.Revision == old.Revision && newer
	}
}

// VoteLife is how old a vote may be: a question's interval, and the time of its way.
func VoteLife(p config.FailoverProbe) time.Duration { return p.Interval.Std() + p.Timeout.Std() }

// Counted is what a vote that came in age ago says of a role's broker by now, and
// whether it says anything.
func Counted(v record.Vote, age time.Duration, role string, p config.FailoverProbe) (Vote, bool) {
	mqtt, ok := v.Silence[role]
	guard, ok2 := v.Guard[role]
	return Vote{
		Voter: v.Voter,
		MQTT:  age + time.Duration(mqtt)*time.Millisecond, Guard: age + time.Duration(guard)*time.Millisecond,
	}, ok && ok2 && age <= VoteLife(p)
}

// quick is how often a leader looks while there is something to wait for.
const quick = 25 * time.Millisecond

// LookAgain is for how long a leader need not look, unless something happens. r is
// the record as surely known, or nil, and silent for how long the active broker is.
func LookAgain(r *record.Record, silent, every time.Duration) time.Duration {
	if r == nil || r.Pending != "" || silent > 2*every { // the verdict is near
		return min(quick, every)
	}
	return every
}

// RestAfter is how long no write is tried after one that came to nothing, with
// that many before it that did so, too: something may refuse them all, for good.
func RestAfter(failed int) time.Duration {
	if failed == 0 {
		return 0
	}
	return min(quick<<min(failed-1, 10), time.Second)
}

// Settled says that no write is about to be tried again: of the last one, which may
// have come to nothing after others that did so, the rest ended long ago.
func Settled(failed int, rest, now time.Time) bool {
	return failed == 0 || now.Sub(rest) > time.Second
}

// Hold is a leader's hold on the record.
type Hold struct {
	held    bool      // the record has been written in this term
	usurped time.Time // since when it names somebody else, then
}

// Written takes note of a write.
func (h *Hold) Written() { h.held = true }

// Lost tells whether somebody else took over the record in this term, and whether
// that is news: then the Lease is theirs, and this leader, which was asleep perhaps,
// just doesn't know yet. It has until its Lease has run out to learn; if it still
// leads then, it was the other one that was late.
func (h *Hold) Lost(o Observation) (lost, news bool) {
	switch {
	case o.Record == nil || o.Record.Leader == o.Me || !h.held:
		h.usurped = time.Time{}
		return false, false
	case h.usurped.IsZero():
		h.usurped = o.Now
		return true, true
	case o.Now.Sub(h.usurped) >= o.Settings.Failover.Lease.Duration.Std():
		h.held = false
		return false, false
	}
	return true, false
}

// Withdrawal is since when the guard that is to take over is known to have
// withdrawn its word.
type Withdrawal struct {
	since time.Time
	epoch int64 // of the record that since is of
}

// Since is Observation.Withdrawn, with that guard's status as known now, nil for none.
func (w *Withdrawal) Since(r record.Record, taker *record.Status, now time.Time) time.Time {
	if r.Epoch != w.epoch {
		w.since, w.epoch = time.Time{}, r.Epoch
	}
	if w.since.IsZero() && taker != nil && taker.Epoch >= r.Epoch {
		w.since = now
	}
	return w.since
}
