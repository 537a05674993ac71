package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Each sum is checked on its own: the least that is right, and what is just off.
func TestFailoverSums(t *testing.T) {
	ms := func(n int) Duration { return Duration(time.Duration(n) * time.Millisecond) }
	for path, c := range map[string]struct{ right, off func(f *Failover) }{
		"failover.probe.interval": {func(f *Failover) { f.Probe.Interval = ms(50) }, func(f *Failover) { f.Probe.Interval = ms(49) }},
		"failover.probe.timeout":  {func(f *Failover) { f.Probe.Timeout = ms(50) }, func(f *Failover) { f.Probe.Timeout = ms(49) }},
		"failover.probe.strikes":  {func(f *Failover) { f.Probe.Strikes = 1 }, func(f *Failover) { f.Probe.Strikes = 0 }},
		"failover.permit.margin":  {func(f *Failover) { f.Permit.Margin = ms(100) }, func(f *Failover) { f.Permit.Margin = ms(99) }},
		// 2 × 250 ms + 300 ms
		"failover.permit.age":     {func(f *Failover) { f.Permit.Age = ms(800) }, func(f *Failover) { f.Permit.Age = ms(799) }},
		"failover.lease.duration": {func(f *Failover) { f.Lease.Duration = ms(3000) }, func(f *Failover) { f.Lease.Duration = ms(2500) }},
		"failover.lease.renew":    {func(f *Failover) { f.Lease.Renew = ms(1999) }, func(f *Failover) { f.Lease.Renew = ms(2000) }},
		// 1.5 s / 2.2
		"failover.lease.retry": {func(f *Failover) { f.Lease.Retry = ms(681) }, func(f *Failover) { f.Lease.Retry = ms(682) }},
		// 2 s + 4.4 × 300 ms + 1.05 s + 1 s + 200 ms
		"failover.holdDown":       {func(f *Failover) { f.HoldDown = ms(5570) }, func(f *Failover) { f.HoldDown = ms(5569) }},
		"failover.leave":          {func(f *Failover) { f.Leave = ms(1000) }, func(f *Failover) { f.Leave = ms(999) }},
		"failover.failback.mode":  {func(f *Failover) { f.Failback.Mode = FailbackAuto }, func(f *Failover) { f.Failback.Mode = "maybe" }},
		"failover.failback.after": {func(f *Failover) { f.Failback.After = ms(1000) }, func(f *Failover) { f.Failback.After = ms(999) }},
	} {
		for right, change := range map[bool]func(f *Failover){true: c.right, false: c.off} {
			cfg := Default()
			cfg.Deploy.Profile = ProfileHA
			change(&cfg.Failover)
			found := slices.DeleteFunc(cfg.Validate(), func(p Problem) bool { return p.Path == "deploy.namespace" })
			if right && len(found) > 0 || !right && (len(found) != 1 || found[0].Path != path) {
				t.Errorf("%s, right %v: %v", path, right, found)
			}
		}
	}
	// A lost leader must not leave the broker that it should have replaced to come back.
	cfg := Default()
	cfg.Failover.Lease.Duration = ms(60000)
	if found := cfg.Validate(); len(found) != 1 || !strings.HasPrefix(found[0].Text, "30s is less than the 1m") {
		t.Errorf("a Lease of a minute: %v", found)
	}
}
