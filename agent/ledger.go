package agent

import (
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// Ledger is what one guard knows of the record, and which permit it has. Times
// are those of Observation. The zero value knows nothing; NewLedger makes one.
type Ledger struct {
	role string
	// newest is the record with the highest epoch, however it came; read is the
	// newest of those that came from the API.
	newest, read *record.Record
	// recalled says that nothing was forgotten when the guard began.
	recalled bool
	permit   time.Duration
}

// NewLedger returns the ledger of role's guard, which has just begun.
func NewLedger(role string) *Ledger { return &Ledger{role: role, permit: -1} }

// Recall takes the newest record that a guard before this one knew, in the same
// pod, before anything else.
func (l *Ledger) Recall(r record.Record) { l.newest, l.recalled = &r, true }

// Read takes the answer of the API, now, to what was asked at sent. It is a permit
// where it names this broker active, with no switch under way, unless something
// newer is known: then the answer is from before that.
func (l *Ledger) Read(r record.Record, sent, now time.Duration) {
	if l.newest != nil && r.Epoch < l.newest.Epoch {
		// It says too little to obey, and enough to know that there is an API.
		if l.read == nil {
			l.read = &r
		}
		return
	}
	if l.newest == nil || r.Epoch > l.newest.Epoch {
		l.learn(r, now)
	}
	l.read = l.newest
	if r.Active == l.role && r.Pending == "" {
		l.permit = max(l.permit, sent)
	}
}

// Told takes a record that a controller pushed, at now. It can forbid, but not
// permit: whoever pushes may have lost the lead meanwhile.
func (l *Ledger) Told(r record.Record, now time.Duration) {
	if l.newest == nil || r.Epoch > l.newest.Epoch {
		l.learn(r, now)
	}
}

// learn takes up a record that is newer than what is known. One that first asks for
// permits gives the time to get one, however it came and however long that took: no
// switch begins before this guard has said that it has read that record. Where it has
// read none before, a guard in its place may have said so.
func (l *Ledger) learn(r record.Record, now time.Duration) {
	l.newest = &r
	if l.read != nil && r.Active == l.role && r.Standby != "" && !r.Ready && r.Pending == "" {
		l.permit = max(l.permit, now)
	}
}

// Word takes the other guard's answer to what was asked at sent. A word that was
// given is a permit of whatever epoch: before a switch ends, the leader has this
// very guard withdraw it, and waits for as long as a permit lasts.
func (l *Ledger) Word(w record.Word, sent time.Duration) {
	if w.Given && l.read != nil && l.newest.Active == l.role && l.newest.Pending == "" {
		l.permit = max(l.permit, sent)
	}
}

// Give is the word for the other broker's guard: that it is active, and that
// nobody has told this one to take over. Without a record recalled, or read from
// the API since this guard began, it gives none: what it was told before then is
// forgotten. After that a pushed record will do, for whoever begins a switch
// waits until this very guard has the next one.
func (l *Ledger) Give() record.Word {
	if l.newest == nil {
		return record.Word{}
	}
	r := l.newest
	given := (l.read != nil || l.recalled) && r.Active == record.Other(l.role) && r.Pending == ""
	return record.Word{Epoch: r.Epoch, Given: given}
}

// Record is the newest record, nil while none was read from the API.
func (l *Ledger) Record() *record.Record {
	if l.read == nil {
		return nil
	}
	return l.newest
}

// Permit is when the newest permit was asked for, below 0 if there is none.
func (l *Ledger) Permit() time.Duration { return l.permit }

// Newest is the record with the highest epoch, read or not; nil if none is known.
func (l *Ledger) Newest() *record.Record { return l.newest }

// Epoch is the newest record's, 0 if none is known.
func (l *Ledger) Epoch() int64 {
	if l.newest == nil {
		return 0
	}
	return l.newest.Epoch
}
