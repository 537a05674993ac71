package agent

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// meters are what Prometheus is told.
type meters struct {
	set         *metrics.Set
	runs, links *metrics.Counter
	syncSeconds *metrics.Gauge
	lastStop    string
}

const prefix = "mosqagent_guard_"

func newMeters(g *Guard) *meters {
	set := metrics.NewSet()
	m := &meters{
		set: set, runs: set.NewCounter(prefix + "runs_total"), links: set.NewCounter(prefix + "links_total"),
		syncSeconds: set.NewGauge(prefix+"sync_seconds", nil),
	}
	gauge := func(name string, value func(record.Status) bool) {
		set.NewGauge(prefix+name, func() float64 {
			g.mu.Lock()
			defer g.mu.Unlock()
			if value(g.view()) {
				return 1
			}
			return 0
		})
	}
	gauge("broker_up", func(s record.Status) bool { return s.Run != "" })
	gauge("broker_healthy", func(s record.Status) bool { return s.Healthy })
	gauge("fenced", func(s record.Status) bool { return s.Down == downFenced })
	gauge("linked", func(s record.Status) bool { return s.Linked })
	gauge("synced", func(s record.Status) bool { return s.Synced })
	gauge("active", func(record.Status) bool { r := g.ledger.Record(); return r != nil && r.Active == g.o.Role })
	set.NewGauge(prefix+"permit_age_seconds", func() float64 {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.permitAge().Seconds()
	})
	return m
}

// stopped counts an end of the broker by its reason, and keeps the last one.
// The guard's mu is held, as it keeps calls apart.
func (m *meters) stopped(reason string) {
	m.set.GetOrCreateCounter(fmt.Sprintf(prefix+"stops_total{reason=%q}", reason)).Inc()
	if m.lastStop != "" {
		m.set.GetOrCreateGauge(fmt.Sprintf(prefix+"last_stop{reason=%q}", m.lastStop), nil).Set(0)
	}
	m.lastStop = reason
	m.set.GetOrCreateGauge(fmt.Sprintf(prefix+"last_stop{reason=%q}", reason), nil).Set(1)
}

// asked counts a question, to the API, for a word or to the broker.
func (m *meters) asked(whom string, err error) {
	result := "answered"
	if err != nil {
		result = "failed"
	}
	m.set.GetOrCreateCounter(fmt.Sprintf(prefix+"questions_total{to=%q,result=%q}", whom, result)).Inc()
}
