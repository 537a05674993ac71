package model

import "time"

// network is what the nodes are joined by.
type network struct {
	w    *World
	cut  [nodes][nodes]int           // from, to: by how many faults
	slow [nodes][nodes]time.Duration // the most that is added to each message's way
	loss int                         // one packet in so many is lost; 0 none
	off  [nodes]bool                 // without power
	rate [nodes]float64              // of the node's clock
	skew [nodes]time.Duration        // of its wall clock
}

func (n *network) init(w *World) {
	n.w = w
	for i := range n.rate {
		n.rate[i] = 1 + (w.rng.Float64()-0.5)*0.002
		n.skew[i] = w.between(0, 4*time.Second)
	}
}

// blocked tells whether nothing gets from node to node.
func (n *network) blocked(from, to int) bool {
	return n.off[from] || n.off[to] || from != to && n.cut[from][to] > 0
}

// resend is how long TCP waits before it sends again what was lost.
const resend = 200 * time.Millisecond

// delay is how long a message is on its way.
func (n *network) delay(from, to int) time.Duration {
	if from == to {
		return n.w.between(20*time.Microsecond, 200*time.Microsecond)
	}
	d := n.w.between(100*time.Microsecond, 2*time.Millisecond)
	if s := n.slow[from][to]; s > 0 {
		d += n.w.between(0, s)
	}
	for wait := resend; n.loss > 0 && n.w.chance(n.loss); wait *= 2 {
		d += wait
	}
	return d
}

// send has something done at the other node, unless it doesn't get there.
func (n *network) send(from, to int, do func()) {
	if n.blocked(from, to) {
		return
	}
	n.w.at(n.w.now+n.delay(from, to), func() {
		if !n.blocked(from, to) {
			do()
		}
	})
}

// process is a program on a node. It can end, begin anew without memory, and be
// paused: what it would have done then, it does afterwards.
type process struct {
	w      *World
	node   int
	boot   int
	dead   bool
	paused time.Duration // until then
	stood  time.Duration // until then all stood still
}

// stand has the process do nothing until then.
func (p *process) stand(until time.Duration) {
	p.stood = max(p.stood, until)
	p.paused = max(p.paused, until)
}

func (w *World) process(node int) process { return process{w: w, node: node} }

// clock is the node's, monotonic.
func (p *process) clock() time.Duration {
	return time.Duration(float64(p.w.now) * p.w.net.rate[p.node])
}

// wall is the node's time of day.
func (p *process) wall() time.Time {
	return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).Add(p.clock() + p.w.net.skew[p.node])
}

// do has this boot of the process do something as soon as it can.
func (p *process) do(boot int, do func()) {
	switch {
	case p.boot != boot || p.dead:
	case p.paused > p.w.now:
		p.w.at(p.paused, func() { p.do(boot, do) })
	default:
		do()
	}
}

// after has the process do something after a while by its own clock.
func (p *process) after(d time.Duration, do func()) {
	boot := p.boot
	p.w.at(p.w.now+time.Duration(float64(d)/p.w.net.rate[p.node]), func() { p.do(boot, do) })
}

// call asks another process. serve runs there and replies once or never; done
// runs here, once: with the reply, or without when the time is up. What was
// asked may be done all the same, and later.
func call[T any](from, to *process, timeout time.Duration, serve func(reply func(T)), done func(T, bool)) {
	finished := false
	finish := func(v T, ok bool) {
		if !finished {
			finished = true
			done(v, ok)
		}
	}
	boot, net := from.boot, &from.w.net
	from.after(timeout, func() {
		var none T
		finish(none, false)
	})
	net.send(from.node, to.node, func() {
		to.do(to.boot, func() {
			serve(func(v T) {
				net.send(to.node, from.node, func() { from.do(boot, func() { finish(v, true) }) })
			})
		})
	})
}
