package agent

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

const (
	// LinkSettled is how long a link has to last to be one: where nothing is
	// retained, a bridge that the primary turns away at once would do as well.
	LinkSettled = 500 * time.Millisecond
	// lookPause is the time between two looks at both sets.
	lookPause = 100 * time.Millisecond
	// lookTimeout bounds one look.
	lookTimeout = 10 * time.Second
	// SyncPatience is how long the number of topics that differ may stay the
	// same before the standby begins anew.
	SyncPatience = 15 * time.Second
	// lastPatience is the most that it grows to with runs that came to nothing.
	lastPatience = 5 * time.Minute
)

// compareSets finds out, for each run of a standby that is linked, whether it has
// had all that the active broker has retained. One that keeps topics which the
// active one lacks, or lacks some, begins anew: empty, it can have nothing that
// was deleted meanwhile. To delete such topics by publishing would cross the
// bridge, and could delete at the active broker what has just been set there.
func (g *Guard) compareSets(ctx context.Context) {
	patience := SyncPatience
	for ctx.Err() == nil {
		run := g.unsynced()
		if run == "" {
			sleep(ctx, tick)
			continue
		}
		begin := g.now()
		still := func() bool { return ctx.Err() == nil && g.unsynced() == run }
		equal := g.compare(ctx, still, patience)
		if !still() {
			continue
		}
		g.mu.Lock()
		switch {
		case equal:
			g.child.synced, patience = true, SyncPatience
			g.metrics.syncSeconds.Set((g.now() - begin).Seconds())
			g.log.Info("the standby has everything", "run", run, "after", (g.now() - begin).String())
		default:
			g.wantFresh()
			patience = min(2*patience, lastPatience)
			g.log.Warn("the standby isn't like the active broker, and begins anew", "run", run)
		}
		g.mu.Unlock()
		g.poke()
		sleep(ctx, tick)
	}
}

// unsynced is the run of a standby that is linked and that isn't known to have
// everything; "" if there is none. The caller doesn't hold g.mu.
func (g *Guard) unsynced() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !StandsBy(g.ledger.Record(), g.o.Role) || !g.link.up || g.child.synced || g.relink {
		return ""
	}
	if g.now()-g.link.since < LinkSettled {
		return ""
	}
	return g.child.run
}

// compare looks at both sets until they are equal, or for patience without a
// topic less that differs, or while still holds.
func (g *Guard) compare(ctx context.Context, still func() bool, patience time.Duration) (equal bool) {
	var c Comparison
	open, since, last := -1, g.now(), ""
	for still() && g.now()-since < patience {
		n, err := g.look(ctx, &c)
		switch {
		case err != nil:
			if text := err.Error(); text != last && still() {
				g.log.Info("comparing the brokers", "error", text)
				last = text
			}
		case n == 0:
			return true
		case open < 0 || n < open:
			open, since = n, g.now()
			g.log.Info("comparing the brokers", "differ", n, "onlyHere", c.extra())
		}
		sleep(ctx, lookPause)
	}
	return false
}

// look takes both sets, the active broker's first: what changes in between is
// then news to the standby, and not to the active one.
func (g *Guard) look(ctx context.Context, c *Comparison) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	active, err := g.otherRetained(ctx)
	if err != nil {
		return 0, err
	}
	own, err := g.o.Sessions.Retained(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading what the standby has retained: %w", err)
	}
	return c.Look(active, own), nil
}

// otherRetained asks the other guard what its broker has retained.
func (g *Guard) otherRetained(ctx context.Context) (Sums, error) {
	body, err := g.client.Stream(ctx, g.o.Network.PeerGuard, pathRetained)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	set := Sums{}
	dec := json.NewDecoder(bufio.NewReader(body))
	for {
		var e entry
		if err := dec.Decode(&e); err != nil {
			return nil, fmt.Errorf("reading what the %s has retained: %w", record.Other(g.o.Role), err)
		}
		if e.Count == nil {
			set[e.Topic] = [sha256.Size]byte(append(e.Hash, make([]byte, sha256.Size)...))
			continue
		}
		if *e.Count != len(set) {
			return nil, errors.New("reading what the other broker has retained: lines are missing")
		}
		return set, nil
	}
}
