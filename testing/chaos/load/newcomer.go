package load

import (
	"context"
	"strconv"
	"time"
)

// Newcomer is the name of the client that comes anew, again and again: while others
// stay with a broker that serves on, it goes where the Service leads by now.
const Newcomer = "newcomer"

// visits is the time from one of its visits to the next.
const visits = 500 * time.Millisecond

// visit comes and goes, until ctx ends.
func (c *client) visit(ctx context.Context) {
	for ctx.Err() == nil {
		if conn, err := dial(ctx, c.login, c.name, "", 1); err == nil {
			c.leaveOne(conn)
		}
		pause(ctx, visits)
	}
}

// leaveOne has one message acknowledged, and leaves.
func (c *client) leaveOne(conn *conn) {
	defer conn.bye()
	c.n++
	c.sink.emit(Event{Kind: Up, Client: c.name, Conn: c.n})
	defer func() { c.sink.emit(Event{Kind: Down, Client: c.name, Conn: c.n}) }()
	c.whereTo(conn, c.n)
	m := message{topic: "chaos/" + c.name, payload: strconv.Itoa(c.n), qos: 1, id: 1}
	sent := Now()
	if conn.send(m.packet()) != nil {
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(keepalive))
	if p, err := readPacket(conn.r); err == nil && p.kind == puback {
		c.sink.emit(Event{Kind: Acked, Client: c.name, Conn: c.n, N: c.n, Sent: sent})
	}
}
