package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/peer"
)

// aliveSilence is how long a broker without a guard may say nothing before it
// counts as dead: to restart it costs more than to lead clients elsewhere.
const aliveSilence = 15 * time.Second

// ServeHealth answers the kubelet and Prometheus at address, "host:port", by what
// comes of asking a broker that has no guard, until ctx is done.
func ServeHealth(ctx context.Context, address string, s Sessions, p config.FailoverProbe) error {
	pulse, err := s.Watch(ctx)
	if err != nil {
		return err
	}
	l, err := listen(ctx, address)
	if err != nil {
		return err
	}
	begin := time.Now()
	within := func(limit, grace time.Duration) func() error {
		return func() error {
			switch state := pulse.State(); {
			case state.Answers == 0 && time.Since(begin) < grace:
				return nil
			case state.Answers == 0 && state.Err != nil:
				return fmt.Errorf("the broker hasn't answered yet: %w", state.Err)
			case state.Answers == 0:
				return errors.New("the broker hasn't answered yet")
			case pulse.Silence(time.Now()) >= limit:
				return fmt.Errorf("the broker hasn't answered for %s", pulse.Silence(time.Now()).Round(time.Millisecond))
			}
			return nil
		}
	}
	ready := within(p.Silence(), 0)
	h := peer.Health{Live: within(aliveSilence, loadGrace), Ready: ready, Metrics: metrics.NewSet()}
	const prefix = "mosqagent_probe_"
	h.Metrics.NewGauge(prefix+"broker_healthy", func() float64 {
		if ready() != nil {
			return 0
		}
		return 1
	})
	h.Metrics.NewGauge(prefix+"silence_seconds", func() float64 { return pulse.Silence(time.Now()).Seconds() })
	h.Metrics.NewGauge(prefix+"round_trip_seconds", func() float64 { return pulse.State().RTT.Seconds() })
	h.Metrics.RegisterMetricsWriter(func(w io.Writer) { // which has no counter with a callback
		metrics.WriteCounterUint64(w, prefix+"answers_total", pulse.State().Answers)
	})
	return peer.Serve(ctx, l, nil, h.Handler())
}
