package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// serveGate stands between the secondary's bridge and the primary. It listens
// only while the brokers may be linked and the way to the primary is open: a
// bridge whose connection is accepted and then left waiting, or closed, counts
// messages as sent that never are, and sends no more of them over its next one
// (Mosquitto 2.0.21). One that is refused tries again a second later. What it
// says is TLS from broker to broker: the gate only passes on.
func (g *Guard) serveGate(ctx context.Context) error {
	for ctx.Err() == nil {
		up := g.connect(ctx)
		if up == nil {
			sleep(ctx, linkPause)
			continue
		}
		conn, err := g.admit(ctx, up)
		if err != nil {
			up.Close()
			if ctx.Err() == nil {
				g.log.Info("the bridge didn't come", "error", err.Error())
			}
			continue
		}
		g.passOn(ctx, conn, up)
		conn.Close()
	}
	return nil
}

// admitTime is how long the bridge may take to come, which tries each second.
const admitTime = 15 * time.Second

// admit waits for the bridge while it may be linked over up.
func (g *Guard) admit(ctx context.Context, up *net.TCPConn) (*net.TCPConn, error) {
	g.mu.Lock()
	run, active := g.child.run, g.ledger.Record().Active
	g.mu.Unlock()
	l, err := listen(ctx, g.o.Network.Gate)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	for end := time.Now().Add(admitTime); time.Now().Before(end) && !hungUp(up); {
		g.mu.Lock()
		r := g.ledger.Record()
		void := g.child.run != run || r.Active != active || r.Pending != ""
		g.mu.Unlock()
		if void || ctx.Err() != nil {
			return nil, errNotNow
		}
		if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(tick)); err != nil {
			return nil, err
		}
		conn, err := l.Accept()
		if err == nil {
			return conn.(*net.TCPConn), nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
	}
	return nil, errors.New("waiting for the bridge: it doesn't connect")
}

// mayLink tells whether the brokers may be linked now, by this guard's side of
// it. A standby whose run isn't fresh begins anew instead, once the active
// broker, which is to fill it, is there.
func (g *Guard) mayLink(now time.Duration) bool {
	r := g.ledger.Record()
	switch {
	case r == nil || r.Pending != "" || g.child.run == "" || !g.otherUp(now):
		return false
	case r.Active == g.o.Role:
		return true // and the primary's guard says whether its run is fresh
	case !g.child.fresh():
		g.wantFresh()
		return false
	default:
		return true
	}
}

// connect returns a connection to the primary's broker that the bridge may use,
// or nil while there is none to be had.
func (g *Guard) connect(ctx context.Context) *net.TCPConn {
	g.mu.Lock()
	ok := g.mayLink(g.now())
	g.mu.Unlock()
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, linkTimeout)
	defer cancel()
	conn, err := g.o.Network.Dialer.Dial(ctx, g.o.Network.PeerBridge)
	if err == nil {
		err = g.claim(ctx, conn)
	}
	if err == nil {
		up := conn.(*net.TCPConn)
		if err = impatient(up); err == nil {
			return up
		}
	}
	if conn != nil {
		conn.Close()
	}
	if text := err.Error(); text != g.linkError {
		g.log.Info("the brokers aren't linked yet", "error", text)
		g.linkError = text
	}
	return nil
}

const (
	// linkTimeout bounds a try to link.
	linkTimeout = 2 * time.Second
	// linkPause is the time between two tries.
	linkPause = 100 * time.Millisecond
	// linkLost is how long what was sent may go without an acknowledgement.
	linkLost = 2 * time.Second
)

var errNotNow = errors.New("linking the brokers isn't allowed any more")

// claim uses up the standby's freshness. Whatever becomes of the connection, the
// run takes part in no other: nobody could tell what got through it.
func (g *Guard) claim(ctx context.Context, conn net.Conn) error {
	g.mu.Lock()
	active := g.ledger.Record() != nil && g.ledger.Record().Active == g.o.Role
	g.mu.Unlock()
	if active {
		// The guard in the very pod that was reached.
		_, port, err := net.SplitHostPort(g.o.Network.PeerGuard)
		if err != nil {
			return fmt.Errorf("asking for a link: %w", err)
		}
		host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
		if err != nil {
			return fmt.Errorf("asking for a link: %w", err)
		}
		if err := g.client.Call(ctx, http.MethodPost, net.JoinHostPort(host, port), pathLink, nil, nil); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	r := g.ledger.Record()
	if !g.mayLink(now) || (r.Active == g.o.Role) != active {
		return errNotNow
	}
	g.child.linked = true
	return nil
}

// passOn passes on what either side says until one has ended, or until the record
// names another active broker than when it began, or will soon.
func (g *Guard) passOn(ctx context.Context, conn, up *net.TCPConn) {
	defer up.Close()
	g.mu.Lock()
	active, run := g.ledger.Record().Active, g.child.run
	g.setLink(true, g.now())
	g.linkError = ""
	g.mu.Unlock()
	g.poke()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]*net.TCPConn{{up, conn}, {conn, up}} {
		go func() {
			_, _ = io.Copy(way[0], way[1]) // whatever ended it, it has ended
			_ = way[0].CloseWrite()        // all that was said is to arrive
			ended <- struct{}{}
		}()
	}
	for left := 2; left == 2; {
		g.mu.Lock()
		changed := g.changed
		void := g.ledger.Record().Active != active || g.switching.Drained(*g.ledger.Record(), g.now(), g.o.Settings.Failover.Permit) || g.child.asked == downFenced
		over := g.child.run != run
		g.mu.Unlock()
		if void {
			abort(conn, up)
			break
		}
		if over {
			break
		}
		select {
		case <-ended:
			left--
		case <-changed:
		case <-ctx.Done():
			left = 0
		}
	}
	g.mu.Lock()
	if g.child.run == run {
		g.setLink(false, g.now())
	}
	g.mu.Unlock()
	g.poke()
	// The other way's rest has a moment.
	select {
	case <-ended:
	case <-time.After(linkPause):
	}
}

// abort closes connections and takes back what hasn't been delivered.
func abort(conns ...*net.TCPConn) {
	for _, c := range conns {
		_ = c.SetLinger(0) // it has ended already
		c.Close()
	}
}
