package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// RetainedPrefix begins the topics of the retained messages, of which there are
// RetainedTopics.
const (
	RetainedPrefix = "chaos/retained/"
	RetainedTopics = 40
)

// retainer sets and deletes retained messages, one at a time, each until it is
// acknowledged, so that what brokers must have is known.
type retainer struct {
	client

	flight sync.Mutex
	n      int
	open   *pending
	hold   bool
}

func newRetainer(name string, login Login, s *sink) *retainer {
	r := &retainer{client: client{name: name, login: login, sink: s, qos: 1}}
	r.up, r.got = r.again, r.heard
	return r
}

// change is the nth: every topic's turn comes around, and every third change of
// one deletes it.
func change(n int) message {
	topic, round := n%RetainedTopics, n/RetainedTopics
	m := message{topic: fmt.Sprintf("%s%d", RetainedPrefix, topic), qos: 1, retain: true, id: uint16(n%65535 + 1)}
	if (topic+round)%3 != 0 {
		m.payload = strconv.Itoa(n)
	}
	return m
}

// send makes changes, without end, unless it is held.
func (r *retainer) send(ctx context.Context) { r.pace(ctx, r.next) }

func (r *retainer) next(conn *conn) {
	r.flight.Lock()
	defer r.flight.Unlock()
	if r.open != nil {
		return
	}
	if r.hold {
		r.sink.emit(Event{Kind: Held, Client: r.name})
		return
	}
	r.n++
	r.open = &pending{change(r.n), r.n, Now()}
	if conn.send(r.open.packet()) != nil {
		_ = conn.Close()
	}
}

// holding says whether there are to be no more changes for now.
func (r *retainer) holding(hold bool) {
	r.flight.Lock()
	defer r.flight.Unlock()
	r.hold = hold
}

func (r *retainer) again(conn *conn) {
	r.flight.Lock()
	defer r.flight.Unlock()
	if r.open != nil {
		r.open.sent = Now()
		_ = conn.send(r.open.packet())
	}
}

func (r *retainer) heard(_ *conn, got packet) error {
	r.flight.Lock()
	defer r.flight.Unlock()
	if got.kind != puback || r.open == nil || len(got.body) < 2 || binary.BigEndian.Uint16(got.body) != r.open.id {
		return nil
	}
	_, n := r.current()
	r.sink.emit(Event{Kind: Acked, Client: r.name, Conn: n, N: r.open.n, Sent: r.open.sent, Topic: r.open.topic, Value: r.open.payload})
	r.open = nil
	return nil
}

// quiet is after how long without another stored message a snapshot is complete.
const quiet = 300 * time.Millisecond

// snapshot reads all that a broker has retained.
func snapshot(ctx context.Context, login Login, name string) (map[string]string, error) {
	c, err := dial(ctx, login, name, "", 0)
	if err != nil {
		return nil, err
	}
	defer c.bye()
	if err := c.send(packet{subscribe, 2, append(text([]byte{0, 1}, "#"), 0)}); err != nil {
		return nil, err
	}
	all := map[string]string{}
	_ = c.SetReadDeadline(time.Now().Add(keepalive))
	for answered := false; ; {
		p, err := readPacket(c.r)
		if err != nil {
			if e, ok := err.(interface{ Timeout() bool }); ok && e.Timeout() && answered {
				return all, nil
			}
			return nil, err
		}
		m, err := parseMessage(p)
		stored := p.kind == publish && err == nil && m.retain
		if stored {
			all[m.topic] = m.payload
		}
		if stored || p.kind == suback { // others go on coming
			answered = true
			_ = c.SetReadDeadline(time.Now().Add(quiet))
		}
	}
}
