package failover

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// roles are those of the brokers.
var roles = [...]string{config.RolePrimary, config.RoleSecondary}

// view is what a controller knows of both brokers: what it has heard itself,
// and what the others have told it. It may be used from several goroutines.
type view struct {
	me      string
	probe   config.FailoverProbe
	started time.Time
	// changed and news hold a value when there is something that shouldn't
	// wait: the one for who leads, the other for who votes.
	changed, news chan struct{}

	mu    sync.Mutex
	sides map[string]*side
	votes map[string]ballot
}

// side is one broker, as this controller has heard of it.
type side struct {
	prober   Prober
	answered bool           // by the broker, ever
	guard    time.Time      // when the guard was last asked something that it answered
	status   *record.Status // the guard's newest
	heard    time.Time      // when status was asked for
	seen     time.Time      // when any controller asked something that the broker answered
}

// ballot is another controller's vote and when it came in.
type ballot struct {
	vote record.Vote
	at   time.Time
}

func newView(me string, probe config.FailoverProbe, probers map[string]Prober, now time.Time) *view {
	v := &view{me: me, probe: probe, started: now, votes: map[string]ballot{}, sides: map[string]*side{}}
	v.changed, v.news = make(chan struct{}, 1), make(chan struct{}, 1)
	for _, role := range roles {
		v.sides[role] = &side{prober: probers[role]}
	}
	return v
}

// wake has whoever waits for the channel look.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// advance moves t to what is later, and tells whether that ends a silence.
func (v *view) advance(t *time.Time, sent time.Time) bool {
	ended := sent.Sub(*t) > 2*v.probe.Interval.Std()
	if sent.After(*t) {
		*t = sent
	}
	return ended
}

// answered takes note of a broker's first answer, alone or after a silence.
func (v *view) answered(role string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sides[role].answered = true
	wake(v.changed)
	wake(v.news)
}

// reported takes note of a guard's answer to what was sent then. Answers may
// come in another order than they were asked for.
func (v *view) reported(role string, st record.Status, sent time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.sides[role]
	if v.advance(&s.guard, sent) {
		wake(v.news)
	}
	news, keep := Supersedes(s.status, st, sent.After(s.heard))
	if keep {
		s.status, s.heard = &st, sent
	}
	if news {
		wake(v.changed)
	}
}

// vote returns what this controller says of both brokers. It says nothing of
// one that it may not have had the time to hear.
func (v *view) vote(now time.Time) record.Vote {
	v.mu.Lock()
	defer v.mu.Unlock()
	vote := record.Vote{Voter: v.me, Silence: map[string]int64{}, Guard: map[string]int64{}}
	for role, s := range v.sides {
		mqtt, guard := v.silences(s, now)
		early := now.Sub(v.started) < v.probe.Silence()
		if early && (!s.answered || s.guard.IsZero()) {
			continue
		}
		vote.Silence[role], vote.Guard[role] = mqtt.Milliseconds(), guard.Milliseconds()
	}
	return vote
}

// silences is how long this controller has heard nothing from a broker and
// from its guard. The lock must be held.
func (v *view) silences(s *side, now time.Time) (mqtt, guard time.Duration) {
	mqtt = s.prober.Silence(now)
	if s.answered {
		v.advance(&s.seen, now.Add(-mqtt))
	}
	if s.guard.IsZero() {
		return mqtt, now.Sub(v.started)
	}
	return mqtt, now.Sub(s.guard)
}

// take keeps another controller's vote, the newest alone.
func (v *view) take(vote record.Vote, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.votes[vote.Voter] = ballot{vote, now}
	for role, ms := range vote.Silence {
		if s := v.sides[role]; s != nil {
			v.advance(&s.seen, now.Add(-time.Duration(ms)*time.Millisecond))
		}
	}
	wake(v.changed)
}

// brokers returns the brokers as a leader sees them, with every fresh vote,
// and drops the stale ones.
func (v *view) brokers(now time.Time) map[string]Broker {
	own := v.vote(now)
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.votes, func(voter string, b ballot) bool {
		return voter == v.me || now.Sub(b.at) > VoteLife(v.probe)
	})
	ballots := []ballot{{own, now}}
	for _, voter := range slices.Sorted(maps.Keys(v.votes)) {
		ballots = append(ballots, v.votes[voter])
	}
	out := map[string]Broker{}
	for role, s := range v.sides {
		b := Broker{Status: s.status, Heard: s.heard, Seen: s.seen}
		for _, from := range ballots {
			if vote, ok := Counted(from.vote, now.Sub(from.at), role, v.probe); ok {
				b.Votes = append(b.Votes, vote)
			}
		}
		out[role] = b
	}
	return out
}

// silence is silences of a role's.
func (v *view) silence(role string, now time.Time) (mqtt, guard time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.silences(v.sides[role], now)
}

// epoch is that of the record that the guard has read, as far as is known.
func (v *view) epoch(role string) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.sides[role].status; s != nil {
		return s.Epoch
	}
	return 0
}
