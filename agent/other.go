package agent

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// watchOther keeps the other guard's status.
func (g *Guard) watchOther(ctx context.Context) {
	p := g.o.Settings.Failover.Probe
	var after int64
	for ctx.Err() == nil {
		sent := g.now()
		call, cancel := context.WithTimeout(ctx, OtherWait+p.Timeout.Std())
		var s record.Status
		err := g.client.Call(call, http.MethodGet, g.o.Network.PeerGuard, fmt.Sprintf("%s?after=%d&wait=%d", pathStatus, after, OtherWait.Milliseconds()), nil, &s)
		cancel()
		if err == nil && s.Role != record.Other(g.o.Role) {
			err = fmt.Errorf("the %q's has answered", s.Role)
		}
		if g.errors.About("asking the other guard", err) {
			after = 0
			sleep(ctx, p.Interval.Std())
			continue
		}
		after = s.Revision
		g.mu.Lock()
		if g.other.Status != nil && g.other.Status.Boot != s.Boot {
			after = 0
		}
		g.other = Other{&s, sent}
		g.mu.Unlock()
		g.poke()
	}
}

// wantFresh has this standby begin anew, empty, once the active broker is known to
// serve.
func (g *Guard) wantFresh() {
	if !g.relink {
		g.relink, g.wanted = true, g.now()
		g.poke()
	}
}

// otherServes is Other.Serves. It may be the gate's asking for another link that
// tells of the first one's end.
func (g *Guard) otherServes(r *record.Record, now time.Duration) bool {
	return g.other.Serves(r, g.o.Role, now, max(g.link.down, g.wanted), g.o.Settings.Failover.Probe)
}

// otherUp is Other.Up.
func (g *Guard) otherUp(now time.Duration) bool {
	return g.other.Up(now, g.o.Settings.Failover.Probe)
}

// sleep returns after d, or when ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
