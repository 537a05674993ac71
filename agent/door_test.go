package agent

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// lead has who asks for host be told addresses.
func lead(addresses ...string) *peer.Dialer {
	return &peer.Dialer{Lookup: func(context.Context, string) ([]string, error) { return addresses, nil }}
}

// visit connects as a client does, which has to be turned away at once, and says
// whether somebody listens.
func visit(t *testing.T, address string) (listening bool) {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, time.Second)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return false
	case errors.Is(err, syscall.ECONNRESET): // before it could be said to be connected
		return true
	}
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(5*time.Second)))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a client at the door: %v, want it to be reset", err)
	}
	return true
}

func TestDoor(t *testing.T) {
	t.Parallel()
	visitors := make(chan string, 10)
	ports := freePorts(t, 2)
	d := door{knocked: func(remote string) { visitors <- remote }}
	for _, port := range ports {
		d.addresses = append(d.addresses, (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String())
	}
	for range 3 { // the same door again and again
		must(t, d.open(t.Context()))
		must(t, d.open(t.Context())) // it is already
		for _, address := range d.addresses {
			if !visit(t, address) {
				t.Errorf("nobody listens at %s", address)
			}
			if from := <-visitors; from != "127.0.0.1" {
				t.Errorf("a visitor from %q", from)
			}
		}
		d.close()
		for _, address := range d.addresses {
			if visit(t, address) {
				t.Errorf("somebody listens at %s behind a closed door", address)
			}
		}
	}
	// A port that is taken is said once, not at each look.
	l, err := net.Listen("tcp", d.addresses[1])
	must(t, err)
	defer l.Close()
	if err := d.open(t.Context()); err == nil {
		t.Error("opened a door where somebody else listens")
	}
	if err := d.open(t.Context()); err != nil {
		t.Errorf("said again: %v", err)
	}
	d.close()
}

// replaced has the primary crash and the secondary take over, while clients of the
// primary's go on coming. It returns how long the primary stayed down.
func replaced(t *testing.T, controllers ...string) time.Duration {
	t.Helper()
	p := newPair(t)
	s := p.sides[primary]
	s.g.o.Network.Clients = []string{s.g.o.Sessions.(Loopback).address()}
	s.g.o.Network.Dialer = lead(controllers...)
	p.ready()
	must(t, p.broker(primary).Kill())
	p.until(primary, "the crash", time.Second, func(s record.Status) bool { return s.Run == "" })
	p.write(func(r *record.Record) { r.Pending = secondary }, primary, secondary)
	p.write(func(r *record.Record) {
		*r = record.Record{Epoch: r.Epoch, Active: secondary, Last: &record.Switch{From: primary, To: secondary}}
	}, primary, secondary)
	began := time.Now()
	for time.Since(began) < 2500*time.Millisecond { // for less than the pause
		visit(t, s.g.o.Network.Clients[0])
		time.Sleep(50 * time.Millisecond)
	}
	p.until(primary, "a new run", 10*time.Second, func(s record.Status) bool { return s.Run != "" })
	took := time.Since(began)
	p.synced(primary) // the door is closed: the broker listens
	return took
}

func TestReplacedBrokerWaitsForClientsToStayAway(t *testing.T) {
	t.Parallel()
	if took := replaced(t, "192.0.2.1"); took < 2500*time.Millisecond+rejoinPause-200*time.Millisecond || took > 2500*time.Millisecond+rejoinPause+slack {
		t.Errorf("it started %s after it was replaced, want %s after the last client", took, rejoinPause)
	}
}

// Those who come are the controllers, which ask both brokers all the time.
func TestReplacedBrokerDoesNotWaitForControllers(t *testing.T) {
	t.Parallel()
	if took := replaced(t, "127.0.0.1"); took > rejoinPause+slack {
		t.Errorf("it started %s after it was replaced, want %s", took, rejoinPause)
	}
}
