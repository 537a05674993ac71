package peer

import (
	"net/http"

	"github.com/VictoriaMetrics/metrics"
)

// Health answers the kubelet and Prometheus.
type Health struct {
	// Live and Ready return why not, or nil. Default: always.
	Live, Ready func() error
	// Metrics are what /metrics tells, besides the process's own.
	Metrics *metrics.Set
}

// Handler serves /livez, /readyz and /metrics.
func (h Health) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", check(h.Live))
	mux.HandleFunc("GET /readyz", check(h.Ready))
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		if h.Metrics != nil {
			h.Metrics.WritePrometheus(w)
		}
		metrics.WriteProcessMetrics(w)
	})
	return mux
}

func check(healthy func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if healthy != nil {
			if err := healthy(); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = w.Write([]byte("ok\n")) // whoever asked has gone
	}
}
