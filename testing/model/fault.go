package model

import (
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// fault is something that goes wrong, and how it is mended, which may be nil.
type fault func(w *World) (what string, mend func())

// faults are all that random schedules draw from. What comes up more than once
// is likelier.
var faults = []fault{
	crash, crash, crash, hang, restartGuard, deletePod, isolate, isolate, cut, cut, oneWay, oneWay, apiDown, slow,
	lossy, pauseController, pauseController, pauseGuard, powerOff, bothOff, restartController, ask, pausing, save, deselect, putBack, leaderAndActive, standstill, standstill,
}

// single are those that a ready pair must survive without a loss.
var single = []fault{crash, hang, restartGuard, deletePod, isolate, powerOff, apiDown, lossy, slow, oneWay, cut, pauseController, ask, standstill, standstill}

// inject makes one fault happen, to end after a while.
func (w *World) inject(f fault) {
	what, mend := f(w)
	w.log("FAULT: %s", what)
	if mend == nil {
		return
	}
	done := false
	end := func() {
		if !done {
			done = true
			w.log("mended: %s", what)
			mend()
		}
	}
	w.mends = append(w.mends, end)
	w.at(w.now+w.between(50*time.Millisecond, 9*time.Second), end)
}

// heal ends all faults.
func (w *World) heal() {
	for _, end := range w.mends {
		end()
	}
	w.mends = nil
}

// active is the number of the active role, mostly.
func (w *World) active() int {
	if rec := w.api.service.rec; rec != nil && !w.chance(4) {
		return index(rec.Active)
	}
	return w.rng.IntN(2)
}

func crash(w *World) (string, func()) {
	role := w.active()
	g, b := w.guards[role], w.brokers[role]
	if r := b.run; r != nil {
		b.end(false)
		g.unreaped = r
		g.after(w.between(0, 20*time.Millisecond), func() {
			g.unreaped = nil
			g.reap(r, "crashed", w.now-r.answerAt < 5*time.Second)
		})
	}
	return "crash of the " + roles[role], nil
}

func hang(w *World) (string, func()) {
	role := w.active()
	r := w.brokers[role].run
	if r == nil {
		return "none", nil
	}
	r.hung = true
	return "hang of the " + roles[role], func() {
		r.hung = false
		w.check.writers(w)
	}
}

func restartGuard(w *World) (string, func()) {
	role := w.active()
	g := w.guards[role]
	if g.dead {
		return "none", nil
	}
	g.end()
	w.startLater(g, 50*time.Millisecond, 2*time.Second)
	return "end of the guard of the " + roles[role], nil
}

// startLater has the kubelet start a guard's container again.
func (w *World) startLater(g *guard, low, high time.Duration) {
	w.at(w.now+w.between(low, high), func() {
		if g.dead && !w.net.off[g.node] {
			g.begin()
		}
	})
}

func deletePod(w *World) (string, func()) {
	role := w.active()
	g := w.guards[role]
	if !g.dead && g.leaving < 0 {
		g.leaving = g.now()
		w.respawn(g)
	}
	return "deletion of the pod of the " + roles[role], nil
}

// respawn has a new pod come up once the old one has gone.
func (w *World) respawn(g *guard) {
	w.at(w.now+200*time.Millisecond, func() {
		switch {
		case !g.dead && g.leaving >= 0:
			w.respawn(g)
		case g.dead && !w.net.off[g.node]:
			g.kept = nil
			if !w.settings.Persistent {
				w.brokers[g.role].saved = [topics]int{}
			}
			w.startLater(g, 0, 2*time.Second)
		}
	})
}

// sever cuts a way.
func (w *World) sever(from, to int) func() {
	w.net.cut[from][to]++
	return func() { w.net.cut[from][to]-- }
}

func isolate(w *World) (string, func()) {
	node := w.rng.IntN(nodes)
	if w.chance(2) {
		node = w.active()
	}
	var mends []func()
	clients := w.chance(2) // who can still reach it
	for other := range nodes {
		if other != node && !(clients && other == nodeClients) {
			mends = append(mends, w.sever(node, other), w.sever(other, node))
		}
	}
	return fmt.Sprintf("node %d cut off, clients reach it: %t", node, clients), all(mends)
}

func cut(w *World) (string, func()) {
	a, b := w.rng.IntN(nodes), w.rng.IntN(nodes)
	return fmt.Sprintf("cut between nodes %d and %d", a, b), all([]func(){w.sever(a, b), w.sever(b, a)})
}

func oneWay(w *World) (string, func()) {
	a, b := w.rng.IntN(nodes), w.rng.IntN(nodes)
	return fmt.Sprintf("cut from node %d to node %d", a, b), w.sever(a, b)
}

func all(mends []func()) func() {
	return func() {
		for i := len(mends) - 1; i >= 0; i-- {
			mends[i]()
		}
	}
}

func apiDown(w *World) (string, func()) {
	w.api.dead = true
	return "API server down", func() { w.api.dead = false }
}

func slow(w *World) (string, func()) {
	node, by := w.rng.IntN(nodes), w.between(50*time.Millisecond, 1500*time.Millisecond)
	add := func(d time.Duration) {
		for other := range nodes {
			w.net.slow[node][other] += d
			w.net.slow[other][node] += d
		}
	}
	add(by)
	return fmt.Sprintf("node %d is up to %s slow", node, by), func() { add(-by) }
}

func lossy(w *World) (string, func()) {
	w.net.loss = []int{20, 10, 5, 3}[w.rng.IntN(4)]
	return fmt.Sprintf("one packet in %d is lost", w.net.loss), func() { w.net.loss = 0 }
}

func pauseController(w *World) (string, func()) {
	c := w.controllers[w.rng.IntN(3)]
	if holder := w.api.lease.holder; holder > 0 && !w.chance(3) {
		c = w.controllers[holder-1]
	}
	d := w.between(200*time.Millisecond, 7*time.Second)
	c.paused = w.now + d
	return fmt.Sprintf("%s paused for %s", c.name, d), nil
}

// pauseGuard stays within the margin, of which the guard's tick and the signal
// need some, too.
func pauseGuard(w *World) (string, func()) {
	g := w.guards[w.rng.IntN(2)]
	d := w.between(time.Millisecond, 130*time.Millisecond)
	g.paused = w.now + d
	return fmt.Sprintf("the %s's guard paused for %s", roles[g.role], d), nil
}

// standstill has nothing run on any node for a while, as when they share a machine
// that is starved. Some begin to run again later than others.
func standstill(w *World) (string, func()) {
	d := w.between(500*time.Millisecond, 4*time.Second)
	until := func() time.Duration { return w.now + d + w.between(0, 300*time.Millisecond) }
	w.api.stand(until())
	for _, c := range w.controllers {
		c.stand(until())
	}
	for i, g := range w.guards {
		g.stand(until())
		if r := w.brokers[i].run; r != nil && !r.hung {
			r.hung = true
			w.at(until(), func() {
				r.hung = false
				w.check.writers(w)
			})
		}
	}
	return fmt.Sprintf("all stand still for %s", d), nil
}

func powerOff(w *World) (string, func()) {
	node := w.rng.IntN(3)
	if w.chance(2) {
		node = w.active()
	}
	return fmt.Sprintf("power loss of node %d", node), w.switchOff(node)
}

// switchOff takes a node's power, and returns what gives it back.
func (w *World) switchOff(node int) func() {
	if w.net.off[node] {
		return func() {}
	}
	w.net.off[node] = true
	c := w.controllers[node]
	c.dead, c.leads = true, false
	c.boot++
	if node < 2 {
		w.guards[node].end()
		w.guards[node].kept = nil
	}
	return func() {
		w.net.off[node] = false
		w.at(w.now+w.between(0, time.Second), c.begin)
		if node < 2 {
			if !w.settings.Persistent {
				w.brokers[node].saved = [topics]int{}
			}
			w.startLater(w.guards[node], 100*time.Millisecond, 3*time.Second)
		}
	}
}

func bothOff(w *World) (string, func()) {
	return "power loss of both brokers' nodes", all([]func(){w.switchOff(0), w.switchOff(1)})
}

// leaderAndActive takes the leading controller's node and the active broker's.
func leaderAndActive(w *World) (string, func()) {
	mends := []func(){w.switchOff(w.active())}
	if holder := w.api.lease.holder; holder > 0 {
		mends = append(mends, w.switchOff(holder-1))
	}
	return "power loss of the active broker's node and the leader's", all(mends)
}

func restartController(w *World) (string, func()) {
	c := w.controllers[w.rng.IntN(3)]
	if c.dead {
		return "none", nil
	}
	c.begin()
	return "restart of " + c.name, nil
}

func ask(w *World) (string, func()) {
	to := roles[w.rng.IntN(2)]
	w.api.service.request = &record.Request{ID: fmt.Sprint(w.steps), To: to}
	return "request to switch to the " + to, nil
}

func pausing(w *World) (string, func()) {
	w.api.service.paused = true
	return "switches paused", func() { w.api.service.paused = false }
}

func save(w *World) (string, func()) {
	for _, b := range w.brokers {
		if b.run != nil && w.settings.Persistent {
			b.saved = b.run.retained
		}
	}
	return "the brokers save what they retain", nil
}

// putBack has the Service show a record of before, as a restored backup does. Who
// serves is the same by it: else it would lead clients to both brokers by itself.
func putBack(w *World) (string, func()) {
	a := w.api
	if len(a.past) == 0 {
		return "none", nil
	}
	a.service.rec = a.past[w.rng.IntN(len(a.past))]
	return fmt.Sprintf("the record of epoch %d is put back", a.service.rec.Epoch), nil
}

func deselect(w *World) (string, func()) {
	defer w.reroute()
	if w.chance(2) {
		w.api.service.slot = w.rng.IntN(config.Slots)
		return "the Service leads to other ports", nil
	}
	w.api.service.selector = ""
	return "the Service selects nobody", nil
}
