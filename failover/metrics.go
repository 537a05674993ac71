package failover

import (
	"fmt"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/mosqbuild/mosqbuild/config"
)

// Metric is one of those at /metrics.
type Metric struct {
	// Name and Type are Prometheus's; Label is its one label, "" for none.
	Name, Type, Label string
	// Leader says that the leading controller alone has it.
	Leader bool
	Help   string
}

// The metrics' names.
const (
	metricLeader      = "mosqbuild_failover_leader"
	metricLeaderKnown = "mosqbuild_failover_leader_known"
	metricSilence     = "mosqbuild_failover_probe_silence_seconds"
	metricGuard       = "mosqbuild_failover_guard_silence_seconds"
	metricVoteErrors  = "mosqbuild_failover_vote_errors_total"
	metricAPIErrors   = "mosqbuild_failover_api_errors_total"
	metricDecisions   = "mosqbuild_failover_decisions_total"
	metricSwitches    = "mosqbuild_failover_switches_total"
	metricActive      = "mosqbuild_failover_active"
	metricReady       = "mosqbuild_failover_standby_ready"
	metricPending     = "mosqbuild_failover_pending"
	metricPaused      = "mosqbuild_failover_paused"
	metricEpoch       = "mosqbuild_failover_epoch"
	metricVotes       = "mosqbuild_failover_votes"
	metricLast        = "mosqbuild_failover_last_switch_timestamp_seconds"
	metricOutage      = "mosqbuild_failover_last_outage_seconds"
)

// Metrics returns all that a controller tells, besides its process's own.
func Metrics() []Metric {
	return []Metric{
		{metricLeader, "gauge", "", false, "1 on the controller that leads, 0 on the others"},
		{metricLeaderKnown, "gauge", "", false, "1 where the controller knows of a leader"},
		{metricSilence, "gauge", "role", false, "how long the broker has answered no MQTT probe of this controller's"},
		{metricGuard, "gauge", "role", false, "how long the broker's guard has answered none of this controller's questions"},
		{metricVoteErrors, "counter", "", false, "votes that didn't reach every controller"},
		{metricAPIErrors, "counter", "operation", false, "calls to the API server that came to nothing: `read`, `write`, `event`"},
		{metricDecisions, "counter", "kind", false, "writes of the record, tried or done, by what they were for"},
		{metricSwitches, "counter", "reason", false, "switches that this controller has finished"},
		{metricActive, "gauge", "role", true, "1 for the broker that serves clients, 0 for the other"},
		{metricReady, "gauge", "", true, "1 while the other broker can take over"},
		{metricPending, "gauge", "", true, "1 during a switch"},
		{metricPaused, "gauge", "", true, "1 while nothing is switched but by request"},
		{metricEpoch, "gauge", "", true, "number of the record's last write"},
		{metricVotes, "gauge", "role", true, "controllers whose word on the broker is fresh"},
		{metricLast, "gauge", "", true, "when the last switch was finished, as a Unix time"},
		{metricOutage, "gauge", "", true, "how long nobody served at the last switch, as far as the controllers saw"},
	}
}

// counts keeps the metrics' values. Its methods may be called from several
// goroutines, those about leading from one.
type counts struct {
	set *metrics.Set
	of  map[string]Metric // by name
}

func newCounts(v *view, leaderKnown func() bool) *counts {
	c := &counts{set: metrics.NewSet(), of: map[string]Metric{}}
	for _, m := range Metrics() {
		c.of[m.Name] = m
	}
	c.put(metricLeader, "", 0)
	c.set.NewGauge(metricLeaderKnown, func() float64 { return number(leaderKnown()) })
	c.set.NewCounter(metricVoteErrors)
	for _, op := range []string{"read", "write", "event"} {
		c.set.NewCounter(c.series(metricAPIErrors, op))
	}
	for _, role := range roles {
		c.set.NewGauge(c.series(metricSilence, role), func() float64 { mqtt, _ := v.silence(role, time.Now()); return mqtt.Seconds() })
		c.set.NewGauge(c.series(metricGuard, role), func() float64 { _, guard := v.silence(role, time.Now()); return guard.Seconds() })
	}
	return c
}

// series is a metric with its label's value.
func (c *counts) series(name, value string) string {
	if label := c.of[name].Label; label != "" {
		return fmt.Sprintf("%s{%s=%s}", name, label, strconv.Quote(value))
	}
	return name
}

func (c *counts) put(name, value string, v float64) {
	c.set.GetOrCreateGauge(c.series(name, value), nil).Set(v)
}

func (c *counts) add(name, value string) { c.set.GetOrCreateCounter(c.series(name, value)).Inc() }

// lead takes over what the leader alone tells.
func (c *counts) lead(o Observation) {
	c.put(metricLeader, "", 1)
	for _, role := range roles {
		c.put(metricVotes, role, float64(len(o.Brokers[role].Votes)))
	}
	r := o.Record
	if r == nil {
		return
	}
	for _, role := range roles {
		c.put(metricActive, role, number(role == r.Active))
	}
	c.put(metricReady, "", number(r.Ready && o.target(r.Standby)))
	c.put(metricPending, "", number(r.Pending != ""))
	c.put(metricPaused, "", number(r.Paused))
	c.put(metricEpoch, "", float64(r.Epoch))
	if r.Last != nil {
		c.put(metricLast, "", float64(r.Last.At.UnixMilli())/1000)
		c.put(metricOutage, "", r.Last.Outage.Std().Seconds())
	}
}

// stand takes back what the leader alone tells.
func (c *counts) stand() {
	c.put(metricLeader, "", 0)
	for _, m := range Metrics() {
		switch {
		case m.Leader && m.Label == "role":
			c.set.UnregisterMetric(c.series(m.Name, config.RolePrimary))
			c.set.UnregisterMetric(c.series(m.Name, config.RoleSecondary))
		case m.Leader:
			c.set.UnregisterMetric(m.Name)
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
