package failover

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// parseRequest reads what somebody has asked for. What can't be read asks for
// a broker that there isn't, so that it is answered.
func parseRequest(text string) *record.Request {
	if text == "" {
		return nil
	}
	var q record.Request
	if err := json.Unmarshal([]byte(text), &q); err != nil || q.ID == "" {
		return &record.Request{ID: text, To: text}
	}
	return &q
}

// limit is how long a call to the API server may take: the active broker's
// permits come from there, and are of no use if they take longer.
func (t *term) limit() time.Duration { return t.settings.Failover.Permit.Age.Std() }

// refresh reads the Service, if that is due and under way neither.
func (t *term) refresh(ctx context.Context) {
	now := time.Now()
	every := t.settings.Failover.Probe.Interval.Std()
	if !t.known {
		every = quick
	}
	if t.reading || now.Sub(t.readAt) < every {
		return
	}
	t.reading, t.readAt = true, now
	writes := t.writes
	t.beside.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, t.limit())
		defer cancel()
		s, err := t.ports.Store.Read(ctx)
		r := reading{service: s, err: err, writes: writes}
		if err == nil {
			r.record, r.err = record.Parse(s.Text)
		}
		t.reads <- r // at most one is under way
	})
}

// read takes in what was read.
func (t *term) read(r reading) {
	t.reading = false
	if t.errors.About("reading the Service", r.err) {
		t.counts.add(metricAPIErrors, "read")
		return
	}
	if r.writes != t.writes {
		t.readAt = time.Time{} // older than what was written meanwhile
		return
	}
	t.service, t.record, t.known = r.service, r.record, true
	if r.record != nil && (t.newest == nil || r.record.Epoch > t.newest.Epoch) {
		t.newest = r.record
	}
}

// push sends the record to the guards that don't know it yet. They would read
// it themselves; this is faster, and reaches those that can't.
func (t *term) push(ctx context.Context) {
	if !t.known || t.record == nil {
		return
	}
	for _, role := range roles {
		if t.view.epoch(role) >= t.record.Epoch || t.pushing[role] {
			continue
		}
		t.pushing[role] = true
		r := *t.record
		t.beside.Go(func() {
			sent := time.Now()
			within, cancel := context.WithTimeout(ctx, t.settings.Failover.Probe.Timeout.Std())
			defer cancel()
			st, err := t.ports.Guards[role].Push(within, r)
			if err == nil && st.Role == role {
				t.view.reported(role, st, sent)
			}
			t.errors.About("telling the "+role+"'s guard the record", err)
			// A guard that isn't there isn't asked without a pause.
			if err != nil {
				select {
				case <-ctx.Done():
				case <-time.After(quick):
				}
			}
			t.pushes <- role
		})
	}
}
