package failover_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

const (
	primary   = config.RolePrimary
	secondary = config.RoleSecondary
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// settings are the defaults.
func settings() config.Agent { return config.Default().Agent(nil) }

// well is a broker that is all it can be.
func well(run string, epoch int64) failover.Broker {
	return failover.Broker{
		Status: &record.Status{Run: run, Healthy: true, Linked: true, Synced: true, Epoch: epoch},
		Heard:  now, Seen: now, Votes: votes(0, 0, 0),
	}
}

// votes are those of controllers that heard nothing for so many milliseconds,
// from broker and guard.
func votes(silences ...int) (all []failover.Vote) {
	for i, ms := range silences {
		d := time.Duration(ms) * time.Millisecond
		all = append(all, failover.Vote{Voter: string(rune('a' + i)), MQTT: d, Guard: d})
	}
	return all
}

// ready is a pair in which the secondary may take over.
func ready() failover.Observation {
	return failover.Observation{
		Now: now, Me: "a", Settings: settings(), Selector: primary, Targets: map[string]int{"mqtt": 20000, "mqtts": 21000, "web": 9001}, Started: now.Add(-time.Hour),
		Record:  &record.Record{Epoch: 7, Leader: "a", Active: primary, Standby: secondary, Run: "s1", Ready: true, ReadyAt: now.Add(-time.Hour)},
		Brokers: map[string]failover.Broker{primary: well("p1", 7), secondary: well("s1", 7)},
	}
}

// with is o with a broker changed.
func with(o failover.Observation, role string, change func(*failover.Broker)) failover.Observation {
	brokers := map[string]failover.Broker{}
	for r, b := range o.Brokers {
		if b.Status != nil {
			s := *b.Status
			b.Status = &s
		}
		if r == role {
			change(&b)
		}
		brokers[r] = b
	}
	o.Brokers = brokers
	return o
}

func down(b *failover.Broker) { b.Status.Run, b.Status.Down = "", "crashed" }

func gone(b *failover.Broker) { b.Heard, b.Votes = now.Add(-2*time.Second), votes(2000, 2000, 2000) }

func in(o failover.Observation, change func(*failover.Observation)) failover.Observation {
	r := *o.Record
	o.Record = &r
	change(&o)
	return o
}

// kinds are observations by name, and what follows from each.
type kinds map[string]struct {
	o    failover.Observation
	want failover.Kind
}

func (ks kinds) decide(t *testing.T) {
	for name, c := range ks {
		t.Run(name, func(t *testing.T) {
			if got := failover.Decide(c.o); got.Kind != c.want {
				t.Errorf("got %s (%s), want %s", got.Kind, got.Reason, c.want)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	leaving := func(b *failover.Broker) { b.Status.Leaving = true }
	kinds{
		"nothing to do":                   {ready(), failover.Nothing},
		"crashed":                         {with(ready(), primary, down), failover.Begin},
		"crashed while paused":            {in(with(ready(), primary, down), func(o *failover.Observation) { o.Paused, o.Record.Paused = true, true }), failover.Nothing},
		"silent":                          {with(ready(), primary, gone), failover.Begin},
		"silent to one of three":          {with(ready(), primary, func(b *failover.Broker) { b.Votes = votes(2000, 0, 0) }), failover.Nothing},
		"silent to the only one who sees": {with(ready(), primary, func(b *failover.Broker) { b.Heard, b.Votes = now.Add(-2*time.Second), votes(2000) }), failover.Nothing},
		"the guard says that all is well": {with(ready(), primary, func(b *failover.Broker) {
			b.Votes = votes(2000, 2000, 2000)
			for i := range b.Votes {
				b.Votes[i].Guard = 0
			}
		}), failover.Nothing},
		"leaving":                            {with(ready(), primary, func(b *failover.Broker) { b.Status.Leaving = true }), failover.Begin},
		"crashed, standby begun anew":        {with(with(ready(), primary, down), secondary, func(b *failover.Broker) { b.Status.Run = "s2" }), failover.Drop},
		"both silent":                        {with(with(ready(), primary, gone), secondary, gone), failover.Nothing},
		"fenced, standby silent to all":      {with(with(ready(), primary, down), secondary, gone), failover.Nothing},
		"fenced, standby hung":               {with(with(ready(), primary, down), secondary, func(b *failover.Broker) { b.Status.Healthy = false }), failover.Nothing},
		"fenced, standby down":               {with(with(ready(), primary, down), secondary, down), failover.Drop},
		"standby hung":                       {with(ready(), secondary, func(b *failover.Broker) { b.Status.Healthy = false }), failover.Drop},
		"standby silent to the leader alone": {with(ready(), secondary, func(b *failover.Broker) { b.Heard, b.Votes = now.Add(-2*time.Second), votes(2000, 0, 0) }), failover.Nothing},
		"standby silent to a leader who has just been cut off": {with(with(ready(), primary, down), secondary, func(b *failover.Broker) {
			b.Heard, b.Votes = now.Add(-2*time.Second), votes(2000)
		}), failover.Nothing},
		"standby silent":              {with(ready(), secondary, gone), failover.Drop},
		"bridge down":                 {with(ready(), secondary, func(b *failover.Broker) { b.Status.Linked, b.Status.Unlinked = false, 5000 }), failover.Drop},
		"bridge down since the crash": {with(with(ready(), primary, down), secondary, func(b *failover.Broker) { b.Status.Linked, b.Status.Unlinked = false, 5000 }), failover.Begin},
		"both leaving":                {with(with(ready(), primary, leaving), secondary, leaving), failover.Drop},
		"crashed, standby leaving":    {with(with(ready(), primary, down), secondary, leaving), failover.Begin},
		"asked for, standby leaving":  {in(with(ready(), secondary, leaving), func(o *failover.Observation) { o.Request = &record.Request{ID: "x", To: secondary} }), failover.Drop},
		"asked for, standby not heard for a moment": {in(with(ready(), secondary, func(b *failover.Broker) { b.Heard = now.Add(-800 * time.Millisecond) }), func(o *failover.Observation) {
			o.Request = &record.Request{ID: "x", To: secondary}
		}), failover.Nothing},
		"asked for, nobody ready": {in(ready(), func(o *failover.Observation) {
			o.Record.Ready = false
			o.Request = &record.Request{ID: "x", To: secondary}
		}), failover.Answer},
		"not confirmed yet":          {in(with(ready(), primary, down), func(o *failover.Observation) { o.Record.Ready = false }), failover.Confirm},
		"the guard hasn't read it":   {in(with(ready(), primary, func(b *failover.Broker) { b.Status.Epoch = 6 }), func(o *failover.Observation) { o.Record.Ready = false }), failover.Nothing},
		"another leader's":           {in(ready(), func(o *failover.Observation) { o.Record.Leader = "b" }), failover.Claim},
		"selector of old":            {in(ready(), func(o *failover.Observation) { o.Selector = secondary }), failover.Repair},
		"ports of old":               {in(ready(), func(o *failover.Observation) { o.Targets = map[string]int{"mqtt": 20000, "mqtts": 21001} }), failover.Repair},
		"a port taken out":           {in(ready(), func(o *failover.Observation) { o.Targets = map[string]int{"mqtts": 21000} }), failover.Nothing},
		"in another slot":            {with(ready(), primary, func(b *failover.Broker) { b.Status.Slot = 4 }), failover.Repair},
		"down, last in another slot": {with(ready(), primary, func(b *failover.Broker) { down(b); b.Status.Slot = 4 }), failover.Begin},
		"was in another slot":        {with(ready(), primary, func(b *failover.Broker) { gone(b); b.Status.Slot = 4 }), failover.Begin},
		"paused":                     {in(ready(), func(o *failover.Observation) { o.Paused = true }), failover.Pause},
		"asked for":                  {in(ready(), func(o *failover.Observation) { o.Request = &record.Request{ID: "x", To: secondary} }), failover.Begin},
		"asked for what is":          {in(ready(), func(o *failover.Observation) { o.Request = &record.Request{ID: "x", To: primary} }), failover.Answer},
		"asked for before": {in(ready(), func(o *failover.Observation) {
			o.Request = &record.Request{ID: "x", To: secondary}
			o.Record.Request = "x"
		}), failover.Nothing},
		"no record":               {failover.Observation{Now: now, Settings: settings(), Brokers: ready().Brokers}, failover.Bootstrap},
		"no record, nobody there": {failover.Observation{Now: now, Settings: settings()}, failover.Nothing},
	}.decide(t)
}

// Of two controllers one may be away: what guards tell is answered then, silence
// isn't.
func TestDecideOfTwoControllers(t *testing.T) {
	alone := func(change func(*failover.Broker)) failover.Observation {
		o := with(ready(), primary, change)
		o.Settings.Replicas = 2
		for role, b := range o.Brokers {
			b.Votes = b.Votes[:1]
			o.Brokers[role] = b
		}
		return o
	}
	kinds{
		"well":    {alone(func(*failover.Broker) {}), failover.Nothing},
		"crashed": {alone(down), failover.Begin},
		"leaving": {alone(func(b *failover.Broker) { b.Status.Leaving = true }), failover.Begin},
		"silent":  {alone(gone), failover.Nothing},
		"stopped in a switch": {in(with(alone(down), secondary, func(b *failover.Broker) { b.Status.Linked = false }), func(o *failover.Observation) {
			o.Record.Pending, o.Withdrawn = secondary, now.Add(-100*time.Millisecond)
		}), failover.Finish},
		"standby's node lost": {with(alone(func(*failover.Broker) {}), secondary, func(b *failover.Broker) {
			b.Heard, b.Votes = now.Add(-2*time.Second), votes(2000)
		}), failover.Drop},
		"standby's node lost in a switch": {in(with(alone(down), secondary, func(b *failover.Broker) {
			b.Heard, b.Votes = now.Add(-time.Minute), votes(60000)
		}), func(o *failover.Observation) {
			o.Record.Pending, o.Withdrawn = secondary, now.Add(-100*time.Millisecond)
		}), failover.Cancel},
	}.decide(t)
}

func TestDecideInASwitch(t *testing.T) {
	pending := in(ready(), func(o *failover.Observation) {
		o.Record.Pending, o.Withdrawn = secondary, now.Add(-100*time.Millisecond)
	})
	kinds{
		"pending, target leaving":         {with(with(pending, primary, down), secondary, func(b *failover.Broker) { b.Status.Leaving, b.Status.Linked = true, false }), failover.Finish},
		"pending":                         {pending, failover.Nothing},
		"pending, not read":               {in(with(pending, primary, down), func(o *failover.Observation) { o.Withdrawn = time.Time{} }), failover.Nothing},
		"pending, stopped":                {with(with(pending, primary, down), secondary, func(b *failover.Broker) { b.Status.Linked = false }), failover.Finish},
		"pending, stopped by an old word": {with(with(pending, primary, func(b *failover.Broker) { down(b); b.Status.Epoch = 6 }), secondary, func(b *failover.Broker) { b.Status.Linked = false }), failover.Nothing},
		"pending, silent, too soon":       {in(with(pending, primary, gone), func(o *failover.Observation) { o.Withdrawn = now.Add(-1199 * time.Millisecond) }), failover.Nothing},
		"pending, silent":                 {in(with(pending, primary, gone), func(o *failover.Observation) { o.Withdrawn = now.Add(-1200 * time.Millisecond) }), failover.Finish},
		"pending, target down":            {with(pending, secondary, down), failover.Cancel},
		"pending, both gone":              {with(with(pending, primary, gone), secondary, gone), failover.Nothing},
	}.decide(t)
}

// What the leader or a guard knows of goes before what the Service has.
func TestRestore(t *testing.T) {
	newer := *ready().Record
	newer.Epoch, newer.Active, newer.Standby, newer.Run = newer.Epoch+3, secondary, primary, "p1"
	older := newer
	older.Epoch = ready().Record.Epoch - 1
	knows := func(r *record.Record) failover.Observation {
		return with(ready(), primary, func(b *failover.Broker) { b.Status.Record = r })
	}
	o := knows(&newer)
	o.Record = nil
	remembered := knows(&older)
	remembered.Known = &newer
	for name, c := range map[string]struct {
		o    failover.Observation
		want failover.Kind
	}{
		"a guard knows a newer one":         {knows(&newer), failover.Restore},
		"the leader does":                   {remembered, failover.Restore},
		"a guard knows one, and it is gone": {o, failover.Restore},
		"a guard knows an older one":        {knows(&older), failover.Nothing},
		"a guard knows none":                {knows(nil), failover.Nothing},
		"a guard knows the one that it is":  {knows(ready().Record), failover.Nothing},
	} {
		a := failover.Decide(c.o)
		if a.Kind != c.want || a.Kind == failover.Restore && (a.Record.Epoch != newer.Epoch+1 || a.Record.Active != secondary || !a.Record.Ready) {
			t.Errorf("%s: %s (%s): %+v", name, a.Kind, a.Reason, a.Record)
		}
	}
}

// Without a record the primary is chosen, unless the secondary alone has data
// or is alone.
func TestBootstrap(t *testing.T) {
	for _, c := range []struct {
		name        string
		there, data [2]bool // of primary and secondary
		after       time.Duration
		want        string
	}{
		{"both", [2]bool{true, true}, [2]bool{}, 0, primary},
		{"data at both", [2]bool{true, true}, [2]bool{true, true}, 0, primary},
		{"data at the secondary", [2]bool{true, true}, [2]bool{false, true}, 0, secondary},
		{"secondary alone, at first", [2]bool{false, true}, [2]bool{}, time.Second, ""},
		{"secondary alone", [2]bool{false, true}, [2]bool{}, time.Minute, secondary},
	} {
		o := failover.Observation{Now: now, Me: "a", Started: now.Add(-c.after), Settings: settings(), Brokers: map[string]failover.Broker{}}
		for i, role := range []string{primary, secondary} {
			if c.there[i] {
				o.Brokers[role] = failover.Broker{Status: &record.Status{Data: c.data[i]}, Heard: now}
			}
		}
		if got := failover.Decide(o).Record; got.Active != c.want || c.want != "" && got.Epoch != 1 {
			t.Errorf("%s: %+v, want %q to be active", c.name, got, c.want)
		}
	}
}

// Whatever is observed, Decide makes only the table's transitions, each of
// which it does make, and keeps what the fence rests on.
func TestEveryTransitionIsInTheTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	made := map[failover.Transition]bool{}
	for range 300_000 {
		o := random(rng)
		a := failover.Decide(o)
		if a.Kind == failover.Nothing {
			continue
		}
		if a.Kind == failover.Restore {
			o.Record = o.Known
		}
		made[failover.Transition{From: failover.StateOf(o.Record), Kind: a.Kind, To: failover.StateOf(&a.Record)}] = true
		sound(t, o, a)
	}
	table := failover.Transitions()
	for i := range table {
		table[i].When = ""
		if !made[table[i]] {
			t.Errorf("never made: %+v", table[i])
		}
	}
	for m := range made {
		if !slices.Contains(table, m) {
			t.Errorf("not in the table: %+v", m)
		}
	}
}

// sound checks what must hold of every action.
func sound(t *testing.T, o failover.Observation, a failover.Action) {
	t.Helper()
	before, after := o.Record, a.Record
	if _, err := record.Parse(after.String()); err != nil {
		t.Fatalf("%s writes a record that can't be read: %v", a.Kind, err)
	}
	if before == nil {
		return
	}
	if after.Epoch != before.Epoch+1 || after.Leader != o.Me || a.Reason == "" {
		t.Fatalf("%s from %+v to %+v", a.Kind, before, after)
	}
	p := o.Settings.Failover.Permit
	from, to := o.Brokers[before.Active], o.Brokers[record.Other(before.Active)]
	switch {
	case after.Active != before.Active && (a.Kind != failover.Finish || after.Active != before.Pending):
		t.Fatalf("%s changes who is active", a.Kind)
	case a.Kind == failover.Begin && !before.Ready:
		t.Fatalf("a switch begins to a standby that the active broker needn't know of: %+v", before)
	case (a.Kind == failover.Begin || a.Kind == failover.Finish) && (to.Status == nil || to.Status.Run != before.Run || !to.Status.Healthy):
		t.Fatalf("%s to a broker that isn't well: %+v", a.Kind, to.Status)
	case a.Kind == failover.Finish:
		stopped := from.Status != nil && from.Status.Run == "" && from.Status.Epoch >= before.Epoch
		if waited := o.Now.Sub(o.Withdrawn) >= p.Age.Std()+p.Margin.Std(); o.Withdrawn.IsZero() || !stopped && !waited {
			t.Fatalf("finished while the old broker may run: %+v", from.Status)
		}
	}
}

// random is any observation at all.
func random(rng *rand.Rand) failover.Observation {
	chance := func(n int) bool { return rng.IntN(n) == 0 }
	o := ready()
	r := *o.Record
	o.Record = &r
	if chance(2) {
		r.Active, r.Standby, o.Selector = secondary, primary, secondary
	}
	switch rng.IntN(4) {
	case 0:
		r.Standby, r.Run, r.Ready = "", "", false
	case 1:
		r.Ready = false
	case 2:
		r.Pending, r.Planned, r.Reason = r.Standby, chance(2), "asked for"
	}
	if r.Standby != "" {
		r.Run = map[string]string{primary: "p1", secondary: "s1"}[r.Standby]
	}
	if chance(10) {
		r.Leader = "b"
	}
	if chance(10) {
		o.Selector = ""
	}
	if chance(10) {
		o.Targets = map[string]int{"mqtt": 20000 + rng.IntN(2)}
	}
	if chance(10) {
		known := r
		o.Known = &known
		known.Epoch += int64(rng.IntN(3))
	}
	if chance(20) {
		o.Record = nil
	}
	o.Paused, r.Paused = chance(5), chance(5)
	o.Settings.Failover.Failback.Mode = config.FailbackAuto
	if chance(2) {
		o.Withdrawn = now.Add(-time.Duration(rng.IntN(3000)) * time.Millisecond)
	}
	if chance(3) {
		o.Request = &record.Request{ID: "x", To: []string{primary, secondary, "nobody"}[rng.IntN(3)]}
	}
	for _, role := range []string{primary, secondary} {
		o = with(o, role, func(b *failover.Broker) {
			s := b.Status
			if chance(3) {
				s.Run, s.Down = "", "crashed"
			}
			s.Healthy, s.Linked, s.Synced, s.Leaving, s.Data = !chance(10), !chance(5), !chance(5), chance(10), chance(2)
			s.Epoch -= int64(rng.IntN(3))
			s.Unlinked = int64(rng.IntN(3000))
			b.Heard = now.Add(-time.Duration(rng.IntN(2000)) * time.Millisecond)
			b.Votes = votes(rng.IntN(5000), rng.IntN(5000), rng.IntN(5000))[:1+rng.IntN(3)]
			if chance(20) {
				b.Status = nil
			}
		})
	}
	return o
}

// Clients are led to the slot that the new active broker runs in, and a record
// that is wrong about it is put right.
func TestTheRecordNamesTheSlot(t *testing.T) {
	o := with(ready(), secondary, func(b *failover.Broker) { b.Status.Slot = 4 })
	o = with(o, primary, func(b *failover.Broker) { b.Status.Run = "" })
	o.Record.Pending, o.Withdrawn = secondary, now.Add(-time.Minute)
	if a := failover.Decide(o); a.Kind != failover.Finish || a.Record.Slot != 4 {
		t.Errorf("%s: %+v", a.Kind, a.Record)
	}
	o = with(ready(), primary, func(b *failover.Broker) { b.Status.Slot = 5 })
	if a := failover.Decide(o); a.Kind != failover.Repair || a.Record.Slot != 5 || !a.Record.Ready {
		t.Errorf("%s: %+v", a.Kind, a.Record)
	}
	// One that is down begins where clients are led to.
	o = with(ready(), primary, func(b *failover.Broker) { b.Status.Run, b.Status.Slot = "", 5 })
	o.Selector = ""
	if a := failover.Decide(o); a.Kind != failover.Repair || a.Record.Slot != 0 {
		t.Errorf("%s: %+v", a.Kind, a.Record)
	}
}
