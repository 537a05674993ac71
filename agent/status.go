package agent

import (
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// link is the bridge's connection, as far as this guard knows.
type link struct {
	up    bool          // through the secondary's gate
	since time.Duration // when it came up
	been  bool          // in this run
	down  time.Duration // since when it isn't up, where it has been
}

// publish lets those who wait have another look, and counts up the revision of a
// status that has changed.
func (g *Guard) publish(now time.Duration) {
	g.relate(now)
	s := g.view()
	s.Revision = g.status.Revision
	if s != g.status {
		s.Revision++
		g.status = s
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

// view is the status as of now; Revision and Unlinked aren't in it.
func (g *Guard) view() record.Status {
	c := &g.child
	s := record.Status{
		Role: g.o.Role, Boot: g.boot, Epoch: g.ledger.Epoch(), Record: g.ledger.Newest(), Run: c.run, Slot: g.slot, Leaving: g.leaving >= 0,
		Healthy: c.healthy(g.o.Settings.Failover.Probe),
		Fresh:   c.fresh(), Linked: g.link.up, Synced: c.synced && c.run != "", Data: g.data,
	}
	switch {
	case c.run == "" && g.starting:
		s.Run = downStarting
	case c.run == "":
		s.Down = c.down
	}
	return s
}

// relate keeps the primary's idea of the link, which it can't see itself.
func (g *Guard) relate(now time.Duration) {
	if g.o.Role == config.RoleSecondary {
		return
	}
	g.setLink(g.child.run != "" && g.child.linked && g.otherUp(now) && g.other.Status.Linked, now)
}

// setLink takes note of whether the link is up.
func (g *Guard) setLink(up bool, now time.Duration) {
	l := &g.link
	switch {
	case up && !l.up:
		g.metrics.links.Inc()
		*l = link{up: true, since: now, been: true}
		g.log.Info("the link is up", "run", g.child.run)
	case !up && l.up:
		l.up, l.down = false, now
		g.log.Info("the link is down", "run", g.child.run)
	}
}

// told is the status as last published, and for how long there has been no link.
func (g *Guard) told(now time.Duration) record.Status {
	s := g.status
	if l := g.link; l.been && !l.up {
		s.Unlinked = max(1, (now - l.down).Milliseconds())
	}
	return s
}
