package agent

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// halt carries out what ends the broker.
func (g *Guard) halt(o Observation, a Action) {
	c := &g.child
	if c.process == nil {
		return
	}
	switch {
	case a.Do == Kill:
		g.end(g.why(o), syscall.SIGKILL)
	case a.Do == Stop && c.stopping < 0:
		g.end(g.why(o), syscall.SIGTERM)
		c.stopping = o.Now
	case c.stopping >= 0 && Overdue(o, c.stopping):
		g.log.Warn("killing a broker that doesn't end", "run", c.run, "after", (o.Now - c.stopping).String())
		g.end(g.why(o), syscall.SIGKILL)
	}
}

// why is the reason for an end, as others are told it.
func (g *Guard) why(o Observation) string {
	r := o.Record
	switch {
	case g.child.asked != "":
		return g.child.asked
	case o.Broker.Hung:
		return downHung
	case r != nil && r.Active == o.Role && r.Pending == "" && r.Standby != "" && !permitted(o):
		return downFenced
	case o.Leaving >= 0:
		return downLeaving
	case o.Relink:
		return askedRelink
	default:
		return downStopped
	}
}

// end sends the signal and takes note of why.
func (g *Guard) end(why string, s os.Signal) {
	if g.child.asked == "" {
		g.metrics.stopped(why)
	}
	g.child.asked = why
	_ = g.child.process.Signal(s) // it has ended meanwhile
}

// kill ends the broker, whatever it does. The caller doesn't hold g.mu.
func (g *Guard) kill(why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.child.process != nil {
		g.end(why, syscall.SIGKILL)
	}
}

// start begins a run, unless its data folder had to be emptied first: that may
// take long enough for the decision to be another one afterwards. The caller,
// which is the loop, doesn't hold g.mu.
func (g *Guard) start(a Action) {
	if a.Empty && !g.emptied {
		err := empty(g.o.Program.DataDir)
		g.mu.Lock()
		defer g.mu.Unlock()
		if err != nil {
			g.fail("not starting the broker: what it had saved would come back", err)
			g.child.notBefore = g.now() + time.Second
			return
		}
		g.emptied, g.data = true, false
		g.poke()
		return
	}
	nothing := a.Empty || !g.holds(g.o.Program.DataDir)
	var p process
	text, err := g.configuration(a.Slot)
	if err == nil {
		err = g.configure(text)
	}
	if err == nil {
		p, err = g.launch.Start(g.o.Program, g.conf)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.relink, g.emptied = false, false
	c := &g.child
	if err != nil {
		g.fail("not starting the broker", err)
		c.failures++
		c.notBefore, c.ended, c.down = now+Pause(c.failures+1), now, downCrashed
		return
	}
	*c = child{
		run: rand.Text()[:8], process: p, began: now, empty: nothing, stopping: -1,
		failures: c.failures, ended: c.ended, down: c.down,
	}
	g.link = link{}
	g.metrics.runs.Inc()
	g.log.Info("started the broker", "run", c.run, "empty", nothing, "slot", a.Slot)
	go g.wait(c.run, p)
	g.poke()
}

// wait takes note of the end of a run, and then of what it has left: a disk that
// hangs, which may be why it has ended, mustn't keep others from knowing.
func (g *Guard) wait(run string, p process) {
	state, err := p.Wait()
	how := "unknown"
	if err == nil {
		how = state.String()
	}
	if !g.ended(run, how) {
		return
	}
	data := g.holds(g.o.Program.DataDir)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.child.run == "" && !g.emptied {
		g.data = data
		g.poke()
	}
}

// ended takes note of a run's end, unless that is known. The caller doesn't hold g.mu.
func (g *Guard) ended(run, how string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.child.run != run {
		return false
	}
	if g.child.asked == "" {
		g.metrics.stopped(downCrashed)
	}
	g.child.end(g.now())
	g.log.Info("the broker has ended", "run", run, "how", how, "down", g.child.down)
	g.publish(g.now()) // others needn't wait for the loop
	g.poke()
	return true
}

// reapOrphans does what process 1 has to.
func (g *Guard) reapOrphans(ctx context.Context) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		select {
		case <-died:
		case <-again.C:
		case <-ctx.Done():
			return
		}
		pid := 0
		g.mu.Lock()
		if p, ok := g.child.process.(*os.Process); ok {
			pid = p.Pid
		}
		g.mu.Unlock()
		reap("/proc", pid)
	}
}
