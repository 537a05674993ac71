package load

import (
	"context"
	"encoding/binary"
	"strconv"
	"sync"
	"time"
)

// publisher sends numbered messages while it is connected. What isn't
// acknowledged when a connection is lost goes out again on the next.
type publisher struct {
	client
	to string // topic

	flight sync.Mutex // guards what follows
	n      int
	open   []pending
}

// pending is a message without a PUBACK yet.
type pending struct {
	message
	n    int
	sent time.Duration
}

func newPublisher(name string, login Login, s *sink, topic string, qos byte) *publisher {
	p := &publisher{client: client{name: name, login: login, sink: s, qos: qos}, to: topic}
	p.up, p.got = p.again, p.heard
	return p
}

// send publishes numbers, without end.
func (p *publisher) send(ctx context.Context) { p.pace(ctx, p.next) }

func (p *publisher) next(conn *conn) {
	p.flight.Lock()
	p.n++
	m := pending{message{topic: p.to, payload: strconv.Itoa(p.n), qos: p.qos, id: uint16(p.n%65535 + 1)}, p.n, Now()}
	if p.qos > 0 {
		p.open = append(p.open, m)
	}
	p.flight.Unlock()
	if conn.send(m.packet()) != nil {
		_ = conn.Close() // the reader finds out
	}
}

// again sends what is open.
func (p *publisher) again(conn *conn) {
	p.flight.Lock()
	defer p.flight.Unlock()
	for i := range p.open {
		p.open[i].sent = Now()
		if conn.send(p.open[i].packet()) != nil {
			return
		}
	}
}

// heard takes acknowledgements.
func (p *publisher) heard(_ *conn, got packet) error {
	if got.kind != puback || len(got.body) < 2 {
		return nil
	}
	id := binary.BigEndian.Uint16(got.body)
	p.flight.Lock()
	defer p.flight.Unlock()
	for i, m := range p.open {
		if m.id == id {
			_, n := p.current()
			p.sink.emit(Event{Kind: Acked, Client: p.name, Conn: n, N: m.n, Sent: m.sent})
			p.open = append(p.open[:i], p.open[i+1:]...)
			break
		}
	}
	return nil
}

// newSubscriber says which numbers it receives.
func newSubscriber(name string, login Login, s *sink, topic string, qos byte) *client {
	c := &client{name: name, login: login, sink: s, topic: topic, qos: qos}
	c.got = func(conn *conn, p packet) error {
		if p.kind != publish {
			return nil
		}
		m, err := parseMessage(p)
		if err != nil {
			return err
		}
		_, n := c.current()
		s.emit(Event{Kind: Received, Client: name, Conn: n, N: number(m.payload)})
		if m.qos == 0 {
			return nil
		}
		return conn.send(packet{puback, 0, binary.BigEndian.AppendUint16(nil, m.id)})
	}
	return c
}
