package model

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
)

// The nodes: one of each broker with a controller beside it, a third one with a
// controller, and those of the API server and of the clients.
const (
	nodeThird   = 2
	nodeAPI     = 3
	nodeClients = 4
	nodes       = 5
)

// roles are those of the brokers, by the number of the node that they run on.
var roles = [2]string{config.RolePrimary, config.RoleSecondary}

// index is the number of a role.
func index(role string) int {
	if role == roles[0] {
		return 0
	}
	return 1
}

// World is one simulated cluster.
type World struct {
	now      time.Duration
	rng      *rand.Rand
	queue    queue
	steps    int
	settings config.Agent
	mutation Mutation
	plan     Plan

	net         network
	api         *apiServer
	controllers [3]*controller
	guards      [2]*guard
	brokers     [2]*broker
	link        *link
	clients     []*client
	runs        []*run
	versions    int

	check     ledger
	mends     []func()
	quiet     bool // clients publish nothing
	trace     []string
	violation error
}

// NewWorld returns a cluster that has just been deployed.
func NewWorld(plan Plan, mutation Mutation) *World {
	w := &World{rng: rand.New(rand.NewPCG(plan.Seed, 0)), plan: plan, mutation: mutation, settings: config.Default().Agent(nil)}
	w.settings.Persistent = plan.Persistent
	w.runs = []*run{nil}
	w.net.init(w)
	w.api = &apiServer{process: w.process(nodeAPI)}
	for i := range w.brokers {
		w.brokers[i] = &broker{w: w, role: i}
		w.guards[i] = newGuard(w, i)
	}
	for i := range w.controllers {
		w.controllers[i] = newController(w, i)
	}
	for _, node := range []int{nodeClients, nodeThird} {
		w.clients = append(w.clients, newClient(w, node))
	}
	return w
}

// at has something done at that time.
func (w *World) at(t time.Duration, do func()) { w.queue.push(event{at: t, do: do}) }

// Run goes on until the time or the first violation.
func (w *World) Run(until time.Duration) {
	for w.violation == nil && len(w.queue.all) > 0 && w.queue.all[0].at <= until {
		e := w.queue.pop()
		w.now = e.at
		w.steps++
		e.do()
	}
	w.now = max(w.now, until)
}

// Until runs until ok holds, and tells whether that came about in time.
func (w *World) Until(within time.Duration, ok func() bool) bool {
	for end := w.now + within; w.violation == nil && w.now < end; {
		if ok() {
			return true
		}
		w.Run(w.now + 50*time.Millisecond)
	}
	return ok()
}

// log adds to the trace.
func (w *World) log(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%9.3fs ", w.now.Seconds())+fmt.Sprintf(format, args...))
}

// fail is a violation, of which the first counts.
func (w *World) fail(format string, args ...any) {
	if w.violation == nil {
		w.violation = fmt.Errorf(format, args...)
		w.log("VIOLATION: %v", w.violation)
	}
}

// between is a random time from low to high.
func (w *World) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)+1))
}

// chance is true once in n times.
func (w *World) chance(n int) bool { return w.rng.IntN(n) == 0 }
