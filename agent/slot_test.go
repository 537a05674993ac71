package agent

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

func TestInSlot(t *testing.T) {
	a := config.Agent{Clients: []config.Listener{{Port: 1883}, {Port: 8883}}}
	const conf = "# listener 1883\nlistener 8883\ncertfile x\n  listener\t1883 10.0.0.1\nlistener 11883\nlistener"
	const want = "# listener 1883\nlistener 21007\ncertfile x\nlistener 20007 10.0.0.1\nlistener 11883\nlistener"
	if got, err := inSlot(conf, a, 7); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, conf := range []string{"", "listener 1883\n", "listener 1883\nlistener 8883\nlistener 8883 ::1\n", "port 1883\nlistener 8883\n"} {
		if _, err := inSlot(conf, a, 7); err == nil || !strings.Contains(err.Error(), "listeners for clients at port") {
			t.Errorf("%q: %v", conf, err)
		}
	}
}

// A client that is still led to a broker which was replaced finds nobody, though
// the broker stands by; and the one that has taken over is where it was.
func TestReplacedBrokerListensElsewhere(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.ready()
	was, next := p.status(primary).Slot, p.status(secondary).Slot
	if !p.accepts(primary, was) || !p.accepts(secondary, next) {
		t.Fatalf("they don't listen in the slots %d and %d", was, next)
	}
	must(t, p.broker(primary).Kill())
	p.until(primary, "the crash", patient, func(s record.Status) bool { return s.Run == "" })
	p.write(func(r *record.Record) { r.Pending = secondary }, primary, secondary)
	p.write(func(r *record.Record) { *r = record.Record{Epoch: r.Epoch, Active: secondary, Slot: next} }, primary, secondary)
	now := p.synced(primary).Slot
	if now == was || p.accepts(primary, was) || !p.accepts(primary, now) {
		t.Errorf("replaced, it listens in slot %d; in the one of before: %v", now, p.accepts(primary, was))
	}
	if s := p.status(secondary); s.Slot != next || !p.accepts(secondary, next) {
		t.Errorf("the one that took over has moved from slot %d to %d", next, s.Slot)
	}
	// Nobody else could take over: it starts again where clients are led to.
	p.write(func(r *record.Record) { r.Standby, r.Run = "", "" }, primary, secondary)
	run := p.status(secondary).Run
	must(t, p.broker(secondary).Kill())
	if s, _ := p.until(secondary, "a new run", patient, func(s record.Status) bool { return s.Run != run && s.Healthy }); s.Slot != next {
		t.Errorf("again, it listens in slot %d, not %d", s.Slot, next)
	}
}

// A disk that hangs may be why a broker has ended: others know all the same.
func TestTheEndIsToldBeforeTheDiskIsLookedAt(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.ready()
	g, disk := p.sides[primary].g, make(chan struct{})
	g.mu.Lock()
	g.holds = func(string) bool { <-disk; return true }
	g.mu.Unlock()
	must(t, p.broker(primary).Kill())
	p.until(primary, "the crash", patient, func(s record.Status) bool { return s.Run == "" && !s.Data })
	close(disk)
	p.until(primary, "the data", patient, func(s record.Status) bool { return s.Data })
}

// A guard that starts again in its pod has forgotten nothing: it gives its word
// while there is no API, unless it was withdrawn.
func TestAGuardRecallsTheRecord(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.ready()
	again := func() record.Word {
		g := New(p.sides[secondary].g.o)
		g.recall()
		return g.ledger.Give()
	}
	if w := again(); !w.Given {
		t.Errorf("the standby's guard gives no word: %+v", w)
	}
	p.write(func(r *record.Record) { r.Pending = secondary }, secondary)
	if w := again(); w.Given || w.Epoch != 4 {
		t.Errorf("the word was withdrawn, and is given: %+v", w)
	}
	must(t, os.Remove(p.sides[secondary].g.o.State))
	must(t, os.Mkdir(p.sides[secondary].g.o.State, 0o700)) // can't be read, nor written
	if w := again(); w != (record.Word{}) {
		t.Errorf("by nothing: %+v", w)
	}
}

// What has changed in mosquitto.conf is read at SIGHUP, though the broker has a
// copy of it.
func TestHangupReadsTheConfigurationAnew(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.write(func(r *record.Record) { r.Active = primary })
	p.start(primary)
	p.until(primary, "an answer", patient, func(s record.Status) bool { return s.Healthy })
	p.publish(primary, "let in", "1")
	s := p.sides[primary]
	text, err := os.ReadFile(s.conf)
	must(t, err)
	must(t, os.WriteFile(s.conf, []byte(strings.Replace(string(text), "allow_anonymous true", "allow_anonymous false", 1)), 0o600))
	s.g.Hangup()
	for end := time.Now().Add(patient); ; time.Sleep(tick) {
		if out, err := p.tryPublish(primary, "shut out", "1"); err != nil {
			if !strings.Contains(out, "ot authorised") {
				t.Errorf("publishing: %s", out)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal("the broker goes on with what it read at its start")
		}
	}
	if !p.accepts(primary, p.status(primary).Slot) {
		t.Error("its clients' listener has moved")
	}
}
