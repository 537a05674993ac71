package agent

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// slack is what a busy machine may add to a time.
const slack = 3 * time.Second

func TestStandbyBeginsEmptyAndGetsEverything(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	junk := filepath.Join(p.sides[secondary].data, "folder", "junk")
	must(t, os.MkdirAll(filepath.Dir(junk), 0o700))
	must(t, os.WriteFile(junk, []byte("x"), 0o600))
	p.write(func(r *record.Record) { r.Active = primary })
	p.start(primary)
	p.until(primary, "an answer", patient, func(s record.Status) bool { return s.Healthy })
	for _, topic := range []string{"a", "a/b", "c"} {
		p.publish(primary, topic, "of "+topic)
	}
	p.start(secondary)
	s := p.synced(secondary)
	if s.Fresh || s.Run == "" || s.Role != secondary {
		t.Errorf("linked: %+v", s)
	}
	if _, err := os.Stat(junk); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old data is there: %v", err)
	}
	if own := p.retained(secondary); len(own) != 3 || own["a/b"] != p.retained(primary)["a/b"] {
		t.Errorf("retained: %v", own)
	}
}

func TestCrashIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	const hold = 5 * time.Second
	p := newPair(t)
	p.hold(hold)
	p.ready()
	run, killed := p.status(primary).Run, time.Now()
	must(t, p.broker(primary).Kill())
	// At once is without the silence that would make it hung.
	s, took := p.until(primary, "the crash", patient, func(s record.Status) bool { return s.Run != run })
	if silence := p.sides[primary].g.o.Settings.Failover.Probe.Silence(); s.Down != downCrashed || took >= silence {
		t.Errorf("after %s: %+v", took, s)
	}
	// It is held down for the standby, and starts when nobody takes over.
	p.until(primary, "a new run", patient, func(s record.Status) bool { return s.Run != "" })
	if held := time.Since(killed); held < hold || held > hold+slack {
		t.Errorf("held for %s, want %s", held, hold)
	}
}

func TestHungBrokerIsKilled(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.ready()
	probe := p.sides[primary].g.o.Settings.Failover.Probe
	must(t, p.broker(primary).Signal(syscall.SIGSTOP))
	s, took := p.until(primary, "the end", patient, func(s record.Status) bool { return s.Run == "" })
	if s.Down != downHung || took < probe.Silence()/2 || took > probe.Silence()+slack {
		t.Errorf("after %s: %+v", took, s)
	}
	t.Logf("killed %s after it stopped", took)
}

func TestWordKeepsABrokerAliveAndItsLossFencesIt(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.hold(time.Second)
	p.ready()
	permit := p.sides[primary].g.o.Settings.Failover.Permit
	run := p.status(primary).Run
	p.api.set(true)
	time.Sleep(permit.Age.Std() * 3 / 2)
	if s := p.status(primary); s.Run != run || !s.Healthy {
		t.Fatalf("without the API: %+v", s)
	}
	p.words.cut(true)
	s, took := p.until(primary, "the end", patient, func(s record.Status) bool { return s.Run == "" })
	if s.Down != downFenced || took > (permit.Age+permit.Margin).Std()+slack {
		t.Errorf("after %s: %+v", took, s)
	}
	t.Logf("fenced %s after the last word", took)
	if p.status(secondary).Run == "" {
		t.Error("the standby was stopped, too")
	}
	p.api.set(false)
	p.until(primary, "a new run", patient, func(s record.Status) bool { return s.Run != "" })
}

func TestWithdrawnWordFences(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.ready()
	p.api.set(true)
	p.write(func(r *record.Record) { r.Pending = secondary }, secondary)
	p.until(primary, "the end", patient, func(s record.Status) bool { return s.Run == "" })
}

func TestSwitchAndRejoin(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.ready()
	p.publish(primary, "kept", "1")
	p.publish(primary, "deleted", "1")
	for end := time.Now().Add(patient); len(p.retained(secondary)) != 2 && time.Now().Before(end); {
		time.Sleep(tick)
	}
	taker := p.status(secondary).Run
	p.api.set(true) // what is pushed must do
	p.write(func(r *record.Record) { r.Pending, r.Planned = secondary, true }, secondary, primary)
	p.until(primary, "the end", patient, func(s record.Status) bool {
		return s.Run == "" && s.Down == downStopped && s.Epoch == 4
	})
	p.api.set(false)
	p.write(func(r *record.Record) { *r = record.Record{Epoch: r.Epoch, Active: secondary} }, secondary, primary)
	p.publish(secondary, "deleted", "")
	p.publish(secondary, "kept", "2")
	p.synced(primary)
	for end := time.Now().Add(patient); ; time.Sleep(tick) { // a change may still be on its way
		got, want := p.retained(primary), p.retained(secondary)
		if len(got) == 1 && len(want) == 1 && got["kept"] == want["kept"] {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("retained: %v and %v", got, want)
		}
	}
	if s := p.status(secondary); s.Run != taker {
		t.Errorf("the new active broker began anew: %+v", s)
	}
}

func TestCutBridgeHasTheStandbyBeginAnew(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.ready()
	run := p.status(secondary).Run
	p.bridge.cut(true)
	p.until(secondary, "the cut", patient, func(s record.Status) bool { return !s.Linked })
	p.publish(primary, "new", "1")
	p.bridge.cut(false)
	p.until(secondary, "another run", patient, func(s record.Status) bool { return s.Run != run && s.Run != "" })
	p.synced(secondary)
	if _, ok := p.retained(secondary)["new"]; !ok {
		t.Error("what was published meanwhile is missing")
	}
	// The primary stands by, too.
	p.write(func(r *record.Record) { r.Pending = secondary }, secondary, primary)
	p.write(func(r *record.Record) { *r = record.Record{Epoch: r.Epoch, Active: secondary} }, secondary, primary)
	run = p.synced(primary).Run
	p.bridge.cut(true)
	p.bridge.cut(false)
	p.until(primary, "another run", patient, func(s record.Status) bool { return s.Run != run && s.Run != "" })
	p.synced(primary)
}

func TestLeavingWaitsForTheSwitch(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.ready()
	p.sides[primary].leave()
	p.until(primary, "the news", patient, func(s record.Status) bool { return s.Leaving })
	time.Sleep(time.Second)
	if s := p.status(primary); s.Run == "" || !s.Healthy {
		t.Fatalf("it doesn't wait: %+v", s)
	}
	p.write(func(r *record.Record) { r.Pending, r.Planned = secondary, true }, secondary, primary)
	select {
	case err := <-p.sides[primary].done:
		must(t, err)
		p.sides[primary].done <- nil
	case <-time.After(patient):
		t.Error("the guard is still there")
	}
}
