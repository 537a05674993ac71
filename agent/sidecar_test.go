package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/probe"
	"github.com/mosqbuild/mosqbuild/internal/record"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// fakePulse is a broker's that answered as said.
type fakePulse struct {
	answers uint64
	silence time.Duration
}

func (p *fakePulse) Silence(time.Time) time.Duration { return p.silence }
func (p *fakePulse) Changed() <-chan struct{}        { return nil }
func (p *fakePulse) State() probe.PingState {
	return probe.PingState{Answers: p.answers, Err: errors.New("refused")}
}

// fakeSessions have that pulse.
type fakeSessions struct {
	Sessions
	pulse Pulse
}

func (s fakeSessions) Watch(context.Context) (Pulse, error) { return s.pulse, nil }

func TestHealthOfABrokerWithoutAGuard(t *testing.T) {
	for name, c := range map[string]struct {
		pulse       fakePulse
		live, ready int
	}{
		"not yet":   {fakePulse{0, 0}, 200, 503},
		"well":      {fakePulse{9, 100 * time.Millisecond}, 200, 200},
		"silent":    {fakePulse{9, 2 * time.Second}, 200, 503},
		"long gone": {fakePulse{9, time.Minute}, 503, 503},
	} {
		address := fmt.Sprintf("127.0.0.1:%d", need.Port(t))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- ServeHealth(ctx, address, fakeSessions{pulse: &c.pulse}, config.Default().Failover.Probe)
		}()
		for path, want := range map[string]int{"/livez": c.live, "/readyz": c.ready} {
			if code, text := get(t, "http://"+address+path); code != want {
				t.Errorf("%s: %s: %d %s, want %d", name, path, code, text, want)
			}
		}
		if _, text := get(t, "http://"+address+"/metrics"); !strings.Contains(text, fmt.Sprintf("mosqagent_probe_silence_seconds %v", c.pulse.silence.Seconds())) {
			t.Errorf("%s: %s", name, text)
		}
		cancel()
		must(t, <-done)
	}
}

func TestGuardsHealth(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.start(primary)
	base := "http://" + p.sides[primary].network.Health
	if code, text := get(t, base+"/readyz"); code != 503 || !strings.Contains(text, downStarting) {
		t.Errorf("ready without a record: %d %s", code, text)
	}
	p.write(func(r *record.Record) { r.Active = primary })
	p.until(primary, "an answer", patient, func(s record.Status) bool { return s.Healthy })
	for _, path := range []string{"/livez", "/readyz"} {
		if code, text := get(t, base+path); code != 200 {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	run := p.status(primary).Run
	must(t, p.broker(primary).Kill())
	p.until(primary, "another run", patient, func(s record.Status) bool { return s.Healthy && s.Run != run })
	_, text := get(t, base+"/metrics")
	for _, want := range []string{"broker_up 1", "fenced 0", `stops_total{reason="crashed"} 1`, `last_stop{reason="crashed"} 1`, "runs_total 2"} {
		if !strings.Contains(text, "mosqagent_guard_"+want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	var age float64
	_, rest, _ := strings.Cut(text, "mosqagent_guard_permit_age_seconds ")
	if _, err := fmt.Sscan(rest, &age); err != nil || age < 0 || age > patient.Seconds() {
		t.Errorf("a permit's age of %v (%v) in:\n%s", age, err, text)
	}
}

// get asks until somebody answers.
func get(t *testing.T, url string) (code int, text string) {
	t.Helper()
	for end := time.Now().Add(patient); ; time.Sleep(5 * time.Millisecond) {
		answer, err := http.Get(url)
		if err != nil {
			if time.Now().After(end) {
				t.Fatal(err)
			}
			continue
		}
		data, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		must(t, err)
		return answer.StatusCode, string(data)
	}
}
