package agent

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// otherWait is how long the other guard may keep a question for its status, for
// want of news.
const otherWait = 500 * time.Millisecond

// other is what is known of the other broker.
type other struct {
	status *record.Status
	heard  time.Duration // when that was asked for
}

// watchOther keeps the other guard's status.
func (g *Guard) watchOther(ctx context.Context) {
	p := g.o.Settings.Failover.Probe
	var after int64
	for ctx.Err() == nil {
		sent := g.now()
		call, cancel := context.WithTimeout(ctx, otherWait+p.Timeout.Std())
		var s record.Status
		err := g.client.Call(call, http.MethodGet, g.o.Network.PeerGuard, fmt.Sprintf("%s?after=%d&wait=%d", pathStatus, after, otherWait.Milliseconds()), nil, &s)
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
		if g.other.status != nil && g.other.status.Boot != s.Boot {
			after = 0
		}
		g.other = other{&s, sent}
		g.mu.Unlock()
		g.poke()
	}
}

// deathNoticed is after how long a guard is sure to say that its broker has ended.
// The broker's connections end before: the kernel closes them, and then tells.
const deathNoticed = 250 * time.Millisecond

// wantFresh has this standby begin anew, empty, once the active broker is known to
// serve.
func (g *Guard) wantFresh() {
	if !g.relink {
		g.relink, g.wanted = true, g.now()
		g.poke()
	}
}

// otherServes tells whether the other broker is the active one, up, and not
// about to be replaced: whoever is active alone can fill a standby. What its
// guard said until the link was down for a while doesn't count, for what took the
// link may have taken the broker: this one may have all that is left. It may be the
// gate's asking for another link that tells of the first one's end.
func (g *Guard) otherServes(r *record.Record, now time.Duration) bool {
	return r != nil && r.Active != g.o.Role && r.Pending == "" && g.otherUp(now) &&
		g.other.status.Healthy && g.other.heard > max(g.link.down, g.wanted)+deathNoticed
}

// otherUp tells whether the other guard has lately said that its broker runs.
func (g *Guard) otherUp(now time.Duration) bool {
	s := g.other.status
	return s != nil && s.Run != "" && now-g.other.heard <= 2*otherWait+g.o.Settings.Failover.Probe.Timeout.Std()
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
