package agent

import (
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// situation is an Observation in short, and what follows from it.
type situation struct {
	role    string
	record  *record.Record
	broker  Broker
	permit  time.Duration // ago
	leaving time.Duration // ago
	relink  bool
	want    Do
	empty   bool
}

// decideAt is when situations are decided on.
const decideAt = time.Minute

func (s situation) decide() Action {
	o := Observation{
		Now: decideAt, Role: s.role, Settings: config.Default().Agent(nil), Record: s.record, Broker: s.broker,
		Permit: decideAt - s.permit, Leaving: -1, Relink: s.relink,
	}
	if s.leaving > 0 {
		o.Leaving = decideAt - s.leaving
	}
	return Decide(o)
}

func TestDecide(t *testing.T) {
	const primary, secondary = config.RolePrimary, config.RoleSecondary
	const now = decideAt
	active, standby := Broker{Run: "a", Served: true}, Broker{Run: "s", Empty: true}
	alone := record.Record{Epoch: 1, Active: primary}
	ready := record.Record{Epoch: 1, Active: primary, Standby: secondary, Run: "s", Ready: true}
	pending := ready
	pending.Pending = secondary
	planned := pending
	planned.Planned = true
	paused := ready
	paused.Paused = true
	with := func(b Broker, change func(*Broker)) Broker { change(&b); return b }
	hung := func(b *Broker) { b.Hung = true }
	stuck := func(b *Broker) { b.Hung, b.Stuck = true, true }
	down := func(ago time.Duration) Broker { return Broker{Served: true, Ended: now - ago} }
	for name, c := range map[string]situation{
		"nothing read":                      {role: primary, want: Nothing},
		"active alone":                      {role: primary, record: &alone, want: Start},
		"active alone, crashed":             {role: primary, record: &alone, broker: down(0), want: Start},
		"active alone, without a permit":    {role: primary, record: &alone, broker: active, permit: time.Hour, want: Nothing},
		"active, starts in vain":            {role: primary, record: &alone, broker: Broker{NotBefore: now + 1}, want: Nothing},
		"active, with a permit":             {role: primary, record: &ready, broker: active, permit: time.Second, want: Nothing},
		"active, without":                   {role: primary, record: &ready, broker: active, permit: time.Second + 1, want: Kill},
		"active, without, down":             {role: primary, record: &alone, broker: down(time.Hour), permit: time.Hour, want: Start},
		"active, down, a standby there":     {role: primary, record: &ready, broker: down(time.Second), want: Nothing},
		"active, down for long":             {role: primary, record: &ready, broker: down(30 * time.Second), want: Start},
		"active, down for long, no permit":  {role: primary, record: &ready, broker: down(30 * time.Second), permit: time.Hour, want: Nothing},
		"active, down, paused":              {role: primary, record: &paused, broker: down(0), want: Start},
		"active, hung":                      {role: primary, record: &ready, broker: with(active, hung), want: Kill},
		"active, a switch":                  {role: primary, record: &pending, broker: active, want: Kill},
		"active, a planned switch":          {role: primary, record: &planned, broker: active, want: Stop},
		"active, a switch, down":            {role: primary, record: &pending, broker: down(time.Hour), want: Nothing},
		"standby":                           {role: secondary, record: &ready, want: Start, empty: true},
		"standby, up":                       {role: secondary, record: &ready, broker: standby, permit: time.Hour, want: Nothing},
		"standby that has served":           {role: secondary, record: &ready, broker: with(standby, func(b *Broker) { b.Served = true }), want: Kill},
		"standby with data of its own":      {role: secondary, record: &ready, broker: Broker{Run: "s"}, want: Kill},
		"active alone, hung":                {role: primary, record: &alone, broker: with(active, hung), want: Nothing},
		"active, hung, paused":              {role: primary, record: &paused, broker: with(active, hung), want: Nothing},
		"active alone, stuck":               {role: primary, record: &alone, broker: with(active, stuck), want: Kill},
		"standby, hung":                     {role: secondary, record: &ready, broker: with(standby, hung), want: Nothing},
		"standby, stuck":                    {role: secondary, record: &ready, broker: with(standby, stuck), want: Kill},
		"standby, to be linked anew":        {role: secondary, record: &ready, broker: standby, relink: true, want: Kill},
		"taking over, to be linked anew":    {role: secondary, record: &pending, broker: standby, relink: true, want: Nothing},
		"taking over, down":                 {role: secondary, record: &pending, want: Nothing},
		"leaving, active":                   {role: primary, record: &ready, broker: active, leaving: time.Second, want: Nothing},
		"leaving, active, for long":         {role: primary, record: &ready, broker: active, leaving: 45 * time.Second, want: Stop},
		"leaving, active, without a permit": {role: primary, record: &ready, broker: active, leaving: time.Second, permit: time.Hour, want: Kill},
		"leaving, a switch":                 {role: primary, record: &planned, broker: active, leaving: time.Second, want: Stop},
		"leaving, down":                     {role: primary, record: &ready, broker: down(0), leaving: time.Second, want: Exit},
		"leaving, standby":                  {role: secondary, record: &ready, broker: standby, leaving: time.Second, want: Nothing},
		"leaving, standby, for long":        {role: secondary, record: &ready, broker: standby, leaving: 3 * time.Second, want: Stop},
		"leaving, dropped":                  {role: secondary, record: &alone, broker: standby, leaving: time.Second, want: Stop},
		"leaving, taking over":              {role: secondary, record: &planned, broker: standby, leaving: time.Hour, want: Nothing},
	} {
		got := c.decide()
		if got.Do != c.want || got.Empty != c.empty || got.Reason == "" {
			t.Errorf("%s: %s, empty %v (%s), want %s, %v", name, got.Do, got.Empty, got.Reason, c.want, c.empty)
		}
	}
}

// The active broker begins again where clients are led to, whatever its guard
// remembers, and a standby never where it was before.
func TestSlots(t *testing.T) {
	r := record.Record{Epoch: 1, Active: config.RolePrimary, Slot: 7}
	for _, c := range []struct {
		role       string
		last, want int
	}{
		{config.RolePrimary, 3, 7},
		{config.RoleSecondary, 7, 8},
		{config.RoleSecondary, config.Slots - 1, 0},
	} {
		got := Decide(Observation{Role: c.role, Settings: config.Default().Agent(nil), Record: &r, Broker: Broker{Slot: c.last}, Permit: -1, Leaving: -1})
		if got.Do != Start || got.Slot != c.want {
			t.Errorf("the %s, after slot %d: %s in slot %d, want %d", c.role, c.last, got.Do, got.Slot, c.want)
		}
	}
}
