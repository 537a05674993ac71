package agent

import (
	"context"
	"time"
)

// watchBroker has each run of the broker asked, as its clients ask it, whether
// it is still there.
func (g *Guard) watchBroker(ctx context.Context) {
	for ctx.Err() == nil {
		g.mu.Lock()
		run := g.child.run
		g.mu.Unlock()
		if run == "" {
			g.changes(ctx, nil)
			continue
		}
		g.watchRun(ctx, run)
	}
}

// watchRun has one run asked until it ends.
func (g *Guard) watchRun(ctx context.Context, run string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pulse, err := g.o.Sessions.Watch(ctx)
	if err != nil {
		g.fail("not asking the broker", err)
		sleep(ctx, time.Second)
		return
	}
	g.mu.Lock()
	if g.child.run == run {
		g.child.pulse = pulse
	}
	g.mu.Unlock()
	for first := true; ctx.Err() == nil; {
		state := pulse.State()
		g.mu.Lock()
		over, up, after := g.child.run != run, state.Answers > 0, g.now()-g.child.began
		g.mu.Unlock()
		if over {
			return
		}
		g.errors.About("asking the broker", state.Err)
		if first && up {
			first = false
			g.log.Info("the broker answers", "run", run, "after", after.String())
		}
		if g.changes(ctx, pulse.Changed()) {
			g.poke()
		}
	}
}

// changes returns when the status may have changed, or news came, which it tells,
// or ctx is done.
func (g *Guard) changes(ctx context.Context, news <-chan struct{}) bool {
	g.mu.Lock()
	changed := g.changed
	g.mu.Unlock()
	select {
	case <-news:
		return true
	case <-changed:
	case <-ctx.Done():
	}
	return false
}
