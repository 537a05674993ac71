package model

import (
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// client publishes retained messages through the clients' Service, as its
// node's routing has it. A connection stays with its run until that ends.
type client struct {
	w      *World
	node   int
	routes string // the role that the node's routing leads to
	slot   int    // and the slot
	run    *run
}

func newClient(w *World, node int) *client {
	c := &client{w: w, node: node}
	w.at(w.between(0, 100*time.Millisecond), c.publish)
	return c
}

// follow has the node's routing follow the Service, as soon as that can be.
func (c *client) follow() {
	net := &c.w.net
	if net.blocked(nodeAPI, c.node) || c.w.api.dead {
		c.w.at(c.w.now+200*time.Millisecond, c.follow)
		return
	}
	c.routes, c.slot = c.w.api.service.selector, c.w.api.service.slot
}

// publish sends a message now and then.
func (c *client) publish() {
	w, net := c.w, &c.w.net
	w.at(w.now+w.between(20*time.Millisecond, 120*time.Millisecond), c.publish)
	if w.quiet {
		return
	}
	if c.run == nil || !c.run.up {
		if c.run = nil; c.routes == "" || net.off[c.node] {
			return
		}
		c.run = w.brokers[index(c.routes)].run
		if !c.run.answers(w.now) || c.run.slot != c.slot || net.blocked(c.node, c.run.role) || net.blocked(c.run.role, c.node) {
			c.run = nil
			return
		}
	}
	r, topic, deletes := c.run, w.rng.IntN(topics), w.chance(3)
	if net.blocked(r.role, c.node) && w.chance(10) {
		c.run = nil // gives up waiting
		return
	}
	net.send(c.node, r.role, func() {
		if !r.answers(w.now) {
			return
		}
		if rec := w.api.service.rec; rec == nil || index(rec.Active) != r.role {
			w.fail("a message of a client's reaches the %s's run %d, which isn't active", roles[r.role], r.id)
		}
		w.versions++
		r.apply(w, message{topic: topic, version: w.versions, deletes: deletes}, false)
	})
}

// served tells whether clients are: by the broker that the record names.
func (w *World) served() bool {
	rec := w.api.service.rec
	return rec != nil && rec.Pending == "" && w.api.service.selector == rec.Active && w.api.service.slot == rec.Slot && w.brokers[index(rec.Active)].answers()
}

// ready tells whether, besides, the standby may take over.
func (w *World) ready() bool {
	rec := w.api.service.rec
	if !w.served() || !rec.Ready || w.guards[0].leaving >= 0 || w.guards[1].leaving >= 0 {
		return false
	}
	s := w.brokers[index(record.Other(rec.Active))]
	return s.answers() && s.run.complete
}
