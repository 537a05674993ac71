package agent

import (
	"context"
	"errors"
	"net"
)

// door listens in the broker's place while a broker that was replaced stays down,
// and turns away whoever comes: a client that comes at all has been led here by a
// node that hasn't heard of the switch yet. Its methods are the loop's alone.
type door struct {
	addresses []string // "host:port"
	// knocked is called for each connection, with the address that it came from,
	// from several goroutines.
	knocked func(remote string)

	isOpen    bool
	listeners []net.Listener
}

// open listens, unless it does already, or couldn't.
func (d *door) open(ctx context.Context) error {
	if d.isOpen {
		return nil
	}
	d.isOpen = true
	for _, address := range d.addresses {
		l, err := listen(ctx, address)
		if err != nil {
			return err
		}
		d.listeners = append(d.listeners, l)
		go d.serve(l)
	}
	return nil
}

// close leaves the addresses to the broker.
func (d *door) close() {
	for _, l := range d.listeners {
		l.Close()
	}
	d.isOpen, d.listeners = false, nil
}

func (d *door) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // who has gone before
		}
		host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		_ = c.(*net.TCPConn).SetLinger(0) // as if nobody had listened
		c.Close()
		d.knocked(host)
	}
}

// knocked takes note of somebody at the door.
func (g *Guard) knocked(remote string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.knock == 0 || g.now()-g.knock > rejoinLimit {
		g.log.Info("a client was led here, though the broker was replaced", "from", remote)
	}
	g.knock = g.now()
}

// attend opens or closes the door.
func (g *Guard) attend(ctx context.Context, open bool) {
	if open {
		g.fail("watching for clients that come to a broker which was replaced", g.door.open(ctx))
	} else {
		g.door.close()
	}
}
