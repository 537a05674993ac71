package model

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// budget is how many steps to explore: MODEL_STEPS, or enough for a change to
// be worth trusting.
func budget(t *testing.T) int {
	text := os.Getenv("MODEL_STEPS")
	if text == "" {
		return 2_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MODEL_STEPS: %q is no number of steps", text)
	}
	return n
}

// plan is the episode of a seed.
func plan(seed uint64) Plan { return Plan{Seed: seed, Persistent: seed%2 == 0} }

// found explores until the budget is used up or enough episodes have failed.
func found(t *testing.T, budget, enough int, m Mutation, plan func(seed uint64) Plan) (failed []Result) {
	t.Helper()
	steps, switches, episodes := 0, 0, 0
	for seed := uint64(1); steps < budget && len(failed) < enough; seed++ {
		r := Execute(plan(seed), m)
		r.Seed = seed
		steps, switches, episodes = steps+r.Steps, switches+r.Switches, episodes+1
		if r.Err != nil {
			failed = append(failed, r)
		}
	}
	t.Logf("%d steps in %d episodes, %d switches, %d violations", steps, episodes, switches, len(failed))
	return failed
}

// Whatever goes wrong, at random and at once, no invariant is violated, and
// what is mended comes to be ready again.
func TestRandomFaults(t *testing.T) {
	if r := Shortest(found(t, budget(t), 5, None, plan)); r != nil {
		t.Errorf("%v", r)
	}
}

// one is the episode of a seed with a single fault.
func one(seed uint64) Plan {
	return Plan{Seed: seed, Persistent: seed/2%2 == 0, Single: true, Faults: []fault{single[int(seed)%len(single)]}}
}

// One fault alone loses nothing that a ready pair has retained.
func TestOneFaultLosesNothing(t *testing.T) {
	if r := Shortest(found(t, budget(t)/2, 5, None, one)); r != nil {
		t.Errorf("%v", r)
	}
}

// Without a fault, or with faults that the brokers don't feel, nothing is
// switched, and no broker is stopped.
func TestNeedlessSwitches(t *testing.T) {
	calm := []fault{apiDown, restartController, save, pauseGuard, deselect, putBack}
	quiet := func(seed uint64) Plan {
		p := plan(seed)
		p.Calm, p.Faults = true, []fault{}
		for i := range seed % 4 {
			p.Faults = append(p.Faults, calm[(seed/4+i*3)%uint64(len(calm))])
		}
		return p
	}
	if r := Shortest(found(t, budget(t)/4, 5, None, quiet)); r != nil {
		t.Errorf("%v", r)
	}
}

// outage is within what time clients are served again after the active broker's
// node is lost, and the leader's with it: the Lease runs out and is taken, up
// to three tries later, the votes come in, the permit ends.
func outage(w *World, leader bool) time.Duration {
	f := w.settings.Failover
	limit := f.Probe.Silence() + f.Probe.Interval.Std() + f.Permit.Age.Std() + f.Permit.Margin.Std() + 300*time.Millisecond
	if leader {
		limit += f.Lease.Duration.Std() + time.Duration(3*jitter*float64(f.Lease.Retry)) - f.Probe.Silence()
	}
	return limit
}

// The loss of the active broker's node costs clients no more than the settings
// add up to, with the leader on it or not.
func TestOutageIsBounded(t *testing.T) {
	var worst [2]time.Duration
	for seed := uint64(1); seed <= 300; seed++ {
		w := NewWorld(Plan{Seed: seed}, None)
		if !w.Until(30*time.Second, w.ready) {
			t.Fatalf("seed %d: not ready", seed)
		}
		w.Run(w.now + w.between(2*time.Second, 4*time.Second))
		lost, leader := w.leads(), 0
		if w.api.lease.holder-1 == lost {
			leader = 1
		}
		w.switchOff(lost)
		began := w.now
		limit := outage(w, leader == 1)
		if !w.Until(limit, func() bool { return w.served() && w.leads() != lost }) {
			t.Fatalf("seed %d: leader there %d: nobody served within %s: %v", seed, leader, limit, Result{Trace: w.trace})
		}
		worst[leader] = max(worst[leader], w.now-began)
	}
	t.Logf("worst: %s, with the leader %s", worst[0], worst[1])
	if worst[0] == 0 || worst[1] == 0 {
		t.Error("the leader was never, or always, on the lost node")
	}
}

// deposed is the episode of a seed in which one leader takes over from another that
// goes on, where packets get lost, and both have something to write.
func deposed(seed uint64) Plan {
	p := plan(seed)
	p.Faults = []fault{lossy, pauseController, crash, lossy, pauseController, pausing}
	return p
}

// Each seeded bug is found, or the exploration is worth nothing.
func TestSeededBugs(t *testing.T) {
	for m := NoWait; m <= DropUnheard; m++ {
		t.Run(m.String(), func(t *testing.T) {
			episode := plan
			switch {
			case m == EpochNotFirst:
				episode = deposed
			case m >= StaleWord:
				episode = one
			}
			r := Shortest(found(t, 12_000_000, 3, m, episode))
			if r == nil {
				t.Fatal("not found")
			}
			t.Logf("the shortest of these: %v", r)
		})
	}
}

// One seed is one course of events.
func TestSameSeedSameTrace(t *testing.T) {
	for seed := uint64(1); seed < 20; seed++ {
		if a, b := Execute(plan(seed), None), Execute(plan(seed), None); a.String() != b.String() || a.Steps != b.Steps {
			t.Errorf("seed %d: %v\nand\n%v", seed, a, b)
		}
	}
}
