package agent

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// What a guard answers at config.PortGuard.
const (
	pathRecord   = "/v1/record"
	pathStatus   = "/v1/status"
	pathWord     = "/v1/word"
	pathLink     = "/v1/link"
	pathRetained = "/v1/retained"
)

// handler serves other agents.
func (g *Guard) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT "+pathRecord, g.putRecord)
	mux.HandleFunc("GET "+pathStatus, g.getStatus)
	mux.HandleFunc("POST "+pathWord, g.postWord)
	mux.HandleFunc("POST "+pathLink, g.postLink)
	mux.HandleFunc("GET "+pathRetained, g.getRetained)
	return mux
}

// maxWait is the longest that a question for the status may be kept.
const maxWait = 30 * time.Second

// putRecord takes a controller's record, and answers with the status once what
// it forbids has ended, or in time for a controller that waits for
// failover.probe.timeout: later it will hear of the end as of all else.
func (g *Guard) putRecord(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	var told *record.Record
	if err == nil {
		told, err = record.Parse(string(data))
	}
	if err == nil && told == nil {
		err = errors.New("reading the record: it is empty")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	before := g.ledger.Epoch()
	g.ledger.Told(*told, g.now())
	g.adopted(before, "pushed")
	since := g.passes
	g.mu.Unlock()
	g.poke()
	s := g.await(r, g.o.Settings.Failover.Probe.Timeout.Std()/2, func() bool {
		return g.passes > since && (g.child.asked == "" || g.child.run == "") && g.status.Epoch >= told.Epoch
	})
	peer.Reply(w, http.StatusOK, s)
}

// getStatus answers when the revision isn't ?after any more, or after ?wait
// milliseconds.
func (g *Guard) getStatus(w http.ResponseWriter, r *http.Request) {
	number := func(name string) (int64, error) {
		text := r.URL.Query().Get(name)
		if text == "" {
			return 0, nil
		}
		return strconv.ParseInt(text, 10, 64)
	}
	after, err := number("after")
	wait, err2 := number("wait")
	if err := errors.Join(err, err2); err != nil {
		http.Error(w, "reading the question: "+err.Error(), http.StatusBadRequest)
		return
	}
	patience := min(maxWait, time.Duration(max(0, min(wait, maxWait.Milliseconds())))*time.Millisecond)
	peer.Reply(w, http.StatusOK, g.await(r, patience, func() bool { return g.status.Revision != after && g.status.Revision > 0 }))
}

// await returns the status once enough holds, which is called with g.mu held,
// or after patience. The caller doesn't hold g.mu.
func (g *Guard) await(r *http.Request, patience time.Duration, enough func() bool) record.Status {
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		g.mu.Lock()
		done, s, changed := enough(), g.told(g.now()), g.changed
		g.mu.Unlock()
		if done {
			return s
		}
		select {
		case <-changed:
		case <-end.C:
			return s
		case <-r.Context().Done():
			return s
		}
	}
}

// postWord gives the active broker's guard the word that it asks for, or not.
func (g *Guard) postWord(w http.ResponseWriter, r *http.Request) {
	var asked record.Word
	if !peer.Read(w, r, &asked) {
		return
	}
	g.mu.Lock()
	word := g.ledger.Give()
	g.mu.Unlock()
	peer.Reply(w, http.StatusOK, word)
}

// postLink lets the secondary, which is active, connect its bridge: once for
// each run, and only while that is fresh. A run that isn't is begun anew.
func (g *Guard) postLink(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	standby := StandsBy(g.ledger.Record(), g.o.Role)
	switch {
	case standby && g.child.fresh():
		g.child.linked = true
		peer.Reply(w, http.StatusOK, struct{}{})
	case standby && g.child.run != "":
		g.wantFresh()
		http.Error(w, "the run isn't fresh: it begins anew", http.StatusConflict)
	default:
		http.Error(w, "this broker isn't one that stands by", http.StatusConflict)
	}
	g.poke()
}

// entry is a line of what GET /v1/retained answers. The last one says how many
// there were before it.
type entry struct {
	Topic string `json:"topic,omitempty"`
	Hash  []byte `json:"hash,omitempty"`
	Count *int   `json:"count,omitempty"`
}

// getRetained writes what the broker has retained, as JSON lines. An answer
// without a count at its end was cut off.
func (g *Guard) getRetained(w http.ResponseWriter, r *http.Request) {
	set, err := g.o.Sessions.Retained(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	enc := json.NewEncoder(w)
	for topic, hash := range set {
		if enc.Encode(entry{Topic: topic, Hash: hash[:]}) != nil {
			return // whoever asked has gone
		}
	}
	count := len(set)
	_ = enc.Encode(entry{Count: &count})
}

// health answers the kubelet.
func (g *Guard) health() peer.Health {
	return peer.Health{
		Metrics: g.metrics.set,
		Live: func() error {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.now()-g.passed > stuck {
				return errStuck
			}
			return nil
		},
		Ready: func() error {
			g.mu.Lock()
			defer g.mu.Unlock()
			switch s := g.view(); {
			case s.Run == "":
				return errors.New("the broker is down: " + s.Down)
			case !s.Healthy:
				return errors.New("the broker doesn't answer")
			}
			return nil
		},
	}
}
