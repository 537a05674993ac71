package model

import "time"

// topics is how many retained topics there are.
const topics = 5

// run is one start of a broker. What the guard knows of it is in here, too.
type run struct {
	id, role int
	slot     int
	up, hung bool
	answerAt time.Duration // when it is up and running
	ended    time.Duration
	began    time.Duration // of its guard's clock

	retained [topics]int // versions; 0 is no value
	last     [topics]int // the newest version that each topic has had here, deletions counted

	empty, served, linked, synced bool // as the guard has them

	led      bool // the Service has selected it
	complete bool // it has got all that the active one had
}

// answers tells whether clients are served.
func (r *run) answers(now time.Duration) bool {
	return r != nil && r.up && !r.hung && now >= r.answerAt
}

// broker is what runs of one role have in common.
type broker struct {
	w       *World
	role    int
	run     *run        // nil while down
	saved   [topics]int // the data folder
	stopped time.Duration
}

func (b *broker) answers() bool { return b.run.answers(b.w.now) }

// start begins a run.
func (b *broker) start(empty bool, slot int) *run {
	w := b.w
	if empty && w.mutation != DataKept {
		b.saved = [topics]int{}
	}
	r := &run{id: len(w.runs), role: b.role, slot: slot, up: true, empty: empty || b.saved == [topics]int{}, answerAt: w.now + w.between(10*time.Millisecond, 150*time.Millisecond)}
	r.retained, r.last = b.saved, b.saved
	w.runs = append(w.runs, r)
	b.run = r
	w.log("%s: run %d begins, empty %t", roles[b.role], r.id, r.empty)
	w.check.began(w, r, empty)
	return r
}

// end ends the run: at once, or in order, which saves what it has retained.
func (b *broker) end(politely bool) {
	r, w := b.run, b.w
	if r == nil {
		return
	}
	if politely && w.settings.Persistent {
		b.saved = r.retained
	}
	r.up, r.ended = false, w.now
	b.run, b.stopped = nil, w.now
	w.log("%s: run %d ends", roles[b.role], r.id)
	if l := w.link; l != nil && l.runs[b.role] == r {
		l.lose(b.role)
	}
}

// message is a change of one retained topic, by its version.
type message struct {
	topic, version int
	deletes        bool
	all            *[topics]int // ends a synchronisation: what the sender's last was
}

// apply takes in a message from a client or from the bridge.
func (r *run) apply(w *World, m message, bridged bool) {
	if m.all != nil {
		for t, v := range m.all {
			r.last[t] = max(r.last[t], v)
		}
		r.complete = true
		return
	}
	if m.version < r.last[m.topic] {
		w.fail("a copy of old: %s's run %d gets version %d of topic %d back, after %d", roles[r.role], r.id, m.version, m.topic, r.last[m.topic])
	}
	r.last[m.topic] = max(r.last[m.topic], m.version)
	r.retained[m.topic] = m.version
	if m.deletes {
		r.retained[m.topic] = 0
	}
	if l := w.link; !bridged && l != nil && l.runs[r.role] == r {
		l.send(1-r.role, m)
	}
}
