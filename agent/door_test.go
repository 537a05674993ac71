package agent

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

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
	ports := []int{need.Port(t), need.Port(t)}
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

// Clients of the primary's go on coming after the secondary has taken over.
func TestReplacedBrokerWaitsForClientsToStayAway(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	s := p.sides[primary]
	s.g.o.Network.Clients = []string{(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: need.Port(t)}).String()}
	p.ready()
	must(t, p.broker(primary).Kill())
	p.until(primary, "the crash", time.Second, func(s record.Status) bool { return s.Run == "" })
	p.write(func(r *record.Record) { r.Pending = secondary }, primary, secondary)
	p.write(func(r *record.Record) {
		*r = record.Record{Epoch: r.Epoch, Active: secondary, Last: &record.Switch{From: primary, To: secondary}}
	}, primary, secondary)
	began := time.Now()
	const visits = 2500 * time.Millisecond // less than the pause
	for time.Since(began) < visits {
		visit(t, s.g.o.Network.Clients[0])
		time.Sleep(50 * time.Millisecond)
	}
	p.until(primary, "a new run", 10*time.Second, func(s record.Status) bool { return s.Run != "" })
	if took := time.Since(began); took < visits+rejoinPause-200*time.Millisecond || took > visits+rejoinPause+slack {
		t.Errorf("it started %s after it was replaced, want %s after the last client", took, rejoinPause)
	}
	if visit(t, s.g.o.Network.Clients[0]) {
		t.Error("the door is open while the broker runs")
	}
	p.synced(primary)
}
