package model

import (
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// service is the clients' Service, of which text stands for the annotation.
type service struct {
	rec      *record.Record // never changed, but replaced
	selector string
	slot     int // that the targetPorts are of
	request  *record.Request
	paused   bool
}

// lease is what the controllers elect their leader by.
type lease struct {
	holder  int // a controller's number + 1
	version int
}

// apiServer is the API server with what it stores.
type apiServer struct {
	process
	service service
	past    []*record.Record // what the record was, while the same broker served
	lease   lease
}

// outcome is what a write came to.
type outcome int

const (
	unknown outcome = iota
	written
	conflict
)

// write is a JSON patch that tests the record's old value.
func (a *apiServer) write(from *controller, old *record.Record, next record.Record, leads bool) outcome {
	w, now := a.w, a.service.rec
	if w.mutation != EpochNotFirst && (old == nil) != (now == nil) || w.mutation != EpochNotFirst && old != nil && old.String() != now.String() {
		return conflict
	}
	w.check.wrote(w, now, &next, from)
	if now != nil && (now.Active != next.Active || now.Slot != next.Slot) {
		a.past = nil
	}
	a.past = append(a.past, &next)
	a.service.rec = &next
	if leads {
		a.service.selector, a.service.slot = next.Active, next.Slot
		w.reroute()
	}
	w.log("API: %s wrote epoch %d: active %s, standby %q run %q, ready %t, pending %q (%s)", from.name, next.Epoch,
		next.Active, next.Standby, next.Run, next.Ready, next.Pending, next.Reason)
	w.check.writers(w)
	return written
}

// elect is one try to take or renew the Lease, by its version as last seen.
func (a *apiServer) elect(holder, version int) bool {
	if a.lease.version != version {
		return false
	}
	a.lease = lease{holder: holder, version: version + 1}
	return true
}

// reroute brings a changed selector to the nodes that the API server reaches.
func (w *World) reroute() {
	for _, c := range w.clients {
		w.at(w.now+w.between(5*time.Millisecond, 150*time.Millisecond), c.follow)
	}
}
