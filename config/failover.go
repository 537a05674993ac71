package config

import (
	"fmt"
	"time"
)

// Values of Failback.Mode.
const (
	FailbackManual = "manual"
	FailbackAuto   = "auto"
)

// Failover holds the timings of the profile ha. What they must add up to is
// checked: with sums that are off, a broker could outlive its permit, or one
// lost packet could cost a switch.
type Failover struct {
	// Controllers is how many failover controllers there are, each on a node of its
	// own: 3, or on a cluster of two nodes 2. Default: 3.
	Controllers int `yaml:"controllers" json:"-"`
	// Probe is how a broker is watched.
	Probe FailoverProbe `yaml:"probe" json:"probe"`
	// Permit is what keeps a broker that nobody reaches from going on.
	Permit FailoverPermit `yaml:"permit" json:"permit"`
	// Lease elects the controller that acts.
	Lease FailoverLease `yaml:"lease" json:"lease"`
	// HoldDown is how long a crashed broker waits for the other one to take
	// over, before it starts again with whatever it saved. Default: 30s.
	HoldDown Duration `yaml:"holdDown" json:"holdDown"`
	// Leave is how long an active broker that is told to end serves on until
	// the other one has taken over. Default: 45s.
	Leave Duration `yaml:"leave" json:"leave"`
	// Failback says whether the primary takes over again by itself.
	Failback Failback `yaml:"failback" json:"failback"`
}

// FailoverProbe is how often a broker is asked, and when it counts as gone:
// after Strikes × Interval + Timeout without an answer.
type FailoverProbe struct {
	// Interval is the time from question to question. Default: 250ms.
	Interval Duration `yaml:"interval" json:"interval"`
	// Strikes is how many in a row go unanswered. Default: 3.
	Strikes int `yaml:"strikes" json:"strikes"`
	// Timeout is after how long an answer is none. Default: 300ms.
	Timeout Duration `yaml:"timeout" json:"timeout"`
}

// Silence is how long a broker may not answer.
func (p FailoverProbe) Silence() time.Duration {
	return time.Duration(p.Strikes)*p.Interval.Std() + p.Timeout.Std()
}

// FailoverPermit is how long the active broker may serve on the word of
// others. Those who take over wait for Age + Margin.
type FailoverPermit struct {
	// Age is the most, from asking for it. Default: 1s.
	Age Duration `yaml:"age" json:"age"`
	// Margin is the time to stop a broker in. Default: 200ms, at least 100ms.
	Margin Duration `yaml:"margin" json:"margin"`
}

// FailoverLease is client-go's leader election.
type FailoverLease struct {
	// Duration is how long a silent leader is still one, in whole seconds.
	// Default: 2s.
	Duration Duration `yaml:"duration" json:"duration"`
	// Renew is how long a leader tries to renew before it gives up.
	// Default: 1.5s.
	Renew Duration `yaml:"renew" json:"renew"`
	// Retry is the time between tries, of which up to 2.2 times goes by.
	// Default: 300ms.
	Retry Duration `yaml:"retry" json:"retry"`
}

// Failback says when the primary takes over again.
type Failback struct {
	// Mode is "manual" (default: a switch costs every client its connection)
	// or "auto".
	Mode string `yaml:"mode" json:"mode"`
	// After is how long the primary must have been ready. Default: 5m.
	After Duration `yaml:"after" json:"after"`
}

// leastMargin is enough for a guard, which looks every 50 ms, to find that the permit
// has ended, and for the kernel to end the broker.
const leastMargin = 100 * time.Millisecond

// jitter is by how much client-go stretches the time between two tries:
// 1 + its JitterFactor of 1.2.
const jitter = 2.2

func defaultFailover() Failover {
	return Failover{
		Controllers: Controllers,
		Probe:       FailoverProbe{Interval: Duration(250 * time.Millisecond), Strikes: 3, Timeout: Duration(300 * time.Millisecond)},
		Permit:      FailoverPermit{Age: Duration(time.Second), Margin: Duration(200 * time.Millisecond)},
		Lease:       FailoverLease{Duration: Duration(2 * time.Second), Renew: Duration(1500 * time.Millisecond), Retry: Duration(300 * time.Millisecond)},
		HoldDown:    Duration(30 * time.Second),
		Leave:       Duration(45 * time.Second),
		Failback:    Failback{Mode: FailbackManual, After: Duration(5 * time.Minute)},
	}
}

func (f Failover) check(v *problems) {
	p, l := f.Probe, f.Lease
	v.atLeast("failover.probe.interval", p.Interval, 50*time.Millisecond)
	v.atLeast("failover.probe.timeout", p.Timeout, 50*time.Millisecond)
	v.check(p.Strikes >= 1 && p.Strikes <= 100, "failover.probe.strikes", "%d is not between 1 and 100", p.Strikes)
	v.atLeast("failover.permit.margin", f.Permit.Margin, leastMargin)
	// A permit is asked for each interval: two questions may get lost, and the
	// third must still be in time.
	least := 2*p.Interval.Std() + p.Timeout.Std()
	v.check(f.Permit.Age.Std() >= least, "failover.permit.age", "%s is less than 2 × probe.interval + probe.timeout = %s: one lost packet would stop a broker that is well", f.Permit.Age, least)
	v.check(l.Duration.Std() >= time.Second && l.Duration.Std()%time.Second == 0, "failover.lease.duration", "%s is no whole number of seconds, of which a Lease consists", l.Duration)
	v.check(l.Renew < l.Duration, "failover.lease.renew", "%s is not less than lease.duration: an old leader would act beside a new one for longer than the switch allows for", l.Renew)
	most := time.Duration(jitter * float64(l.Retry))
	v.check(l.Retry.Std() >= 50*time.Millisecond && most < l.Renew.Std(), "failover.lease.retry", "%s is not between 50ms and lease.renew / %.1f: no second try to renew would be in time", l.Retry, jitter)
	// The leader may be lost with the broker: the next one is elected within two
	// tries of whoever waits, notices, and waits for the permit.
	takes := l.Duration.Std() + 2*most + p.Silence() + f.Permit.Age.Std() + f.Permit.Margin.Std()
	v.check(f.HoldDown.Std() >= takes, "failover.holdDown", "%s is less than the %s = lease.duration + %.1f × lease.retry + probe.strikes × probe.interval + probe.timeout + permit.age + permit.margin that the other broker may need to take over: this one would be back before, without its last messages", f.HoldDown, takes, 2*jitter)
	v.atLeast("failover.leave", f.Leave, time.Second)
	v.oneOf("failover.failback.mode", f.Failback.Mode, FailbackManual, FailbackAuto)
	v.atLeast("failover.failback.after", f.Failback.After, time.Second)
}

func (v *problems) atLeast(path string, d Duration, least time.Duration) {
	v.check(d.Std() >= least, path, "%s is less than %s", d, least)
}

// Duration is a time.Duration that is written as time.ParseDuration reads it:
// "250ms", "1m30s".
type Duration time.Duration

// Std is d as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns d as time.Duration prints it.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText returns String's text.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	got, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration, such as 250ms or 5m", text)
	}
	*d = Duration(got)
	return nil
}
