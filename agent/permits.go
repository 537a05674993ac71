package agent

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// each calls ask every failover.probe.interval, whether or not the call before
// has come back: a slow answer must not keep the next question from being asked.
// The context ends after failover.permit.age, for until then an answer is a permit:
// where packets get lost, several questions are under way, each over a connection
// of its own, and to give one up would cost its connection.
func (g *Guard) each(ctx context.Context, ask func(context.Context)) {
	f := g.o.Settings.Failover
	ticker := time.NewTicker(f.Probe.Interval.Std())
	defer ticker.Stop()
	for {
		go func() {
			ctx, cancel := context.WithTimeout(ctx, f.Permit.Age.Std())
			defer cancel()
			ask(ctx)
		}()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// readRecords reads the record again and again: news, and a permit.
func (g *Guard) readRecords(ctx context.Context) {
	g.each(ctx, func(ctx context.Context) {
		sent := g.now()
		r, err := g.o.API.Record(ctx)
		g.metrics.asked("api", err)
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.errors.About("reading the record", err) || r == nil {
			return
		}
		before := g.ledger.Epoch()
		g.ledger.Read(*r, sent, g.now())
		g.adopted(before, "api")
	})
}

// askForWord asks the other guard for its word, as long as this broker needs
// permits: always, so that none is missing when the API doesn't answer.
func (g *Guard) askForWord(ctx context.Context) {
	g.each(ctx, func(ctx context.Context) {
		g.mu.Lock()
		r := g.ledger.Record()
		g.mu.Unlock()
		if r == nil || r.Active != g.o.Role || r.Standby == "" || r.Pending != "" {
			return
		}
		sent := g.now()
		var w record.Word
		err := g.client.Call(ctx, http.MethodPost, g.o.Network.PeerGuard, pathWord, record.Word{Epoch: r.Epoch}, &w)
		g.metrics.asked("word", err)
		if g.errors.About("asking for the other guard's word", err) {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.ledger.Word(w, sent)
	})
}

// adopted has the loop act on a newer record at once. It is kept before anybody
// is told that it is known: of what a controller counts on, a guard that starts
// again must have forgotten nothing.
func (g *Guard) adopted(before int64, from string) {
	if g.ledger.Epoch() == before {
		return
	}
	r := g.ledger.newest
	g.keep(r)
	g.switching.Note(*r, g.now())
	g.log.Info("a new record", "from", from, "epoch", r.Epoch, "active", r.Active, "standby", r.Standby, "pending", r.Pending, "reason", r.Reason)
	g.poke()
}

// keep writes the record where recall finds it. If that can't be done, there is
// to be none.
func (g *Guard) keep(r *record.Record) {
	if g.o.State == "" {
		return
	}
	if err := atomicfile.Write(g.o.State, []byte(r.String()), 0o600); err != nil {
		if old := os.Remove(g.o.State); old != nil && !errors.Is(old, fs.ErrNotExist) {
			err = errors.Join(err, old)
		}
		g.errors.About("keeping the record", err)
	}
}

// recall takes up what a guard before this one, in the same pod, knew.
func (g *Guard) recall() {
	data, err := os.ReadFile(g.o.State)
	if g.o.State == "" || errors.Is(err, fs.ErrNotExist) {
		return
	}
	var r *record.Record
	if err == nil {
		r, err = record.Parse(string(data))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail("recalling the record", err)
	if r != nil {
		g.ledger.Recall(*r)
		g.switching.Note(*r, g.now())
		g.log.Info("recalled the record", "epoch", r.Epoch, "active", r.Active, "standby", r.Standby, "pending", r.Pending)
	}
}
