package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
)

// StaticPrefix begins the topics of the retained messages that are written once
// before a fault and left alone until they are looked at; of those there are
// StaticTopics.
const (
	StaticPrefix = "chaos/static/"
	StaticTopics = 48
)

// writeLimit is how long all of them may take to be acknowledged.
const writeLimit = 3 * time.Second

// static is what a round makes of the ith topic: a third of them are deleted,
// each of which had a message in the round before.
func static(round, i int) message {
	m := message{topic: fmt.Sprintf("%s%d", StaticPrefix, i), qos: 1, retain: true, id: uint16(i + 1)}
	if (round+i)%3 != 0 {
		m.payload = strconv.Itoa(round)
	}
	return m
}

// write writes a round, and says when all of it is acknowledged.
func (p *process) write(ctx context.Context, c Command) {
	e := Event{Kind: Written, Client: c.Name, N: c.N}
	if err := p.writeStatic(ctx, c); err != nil {
		e.Error = err.Error()
	}
	p.sink.emit(e)
}

func (p *process) writeStatic(ctx context.Context, c Command) error {
	conn, err := dial(ctx, c.Login, c.Name, "", 0)
	if err != nil {
		return err
	}
	defer conn.bye()
	_ = conn.SetReadDeadline(time.Now().Add(writeLimit))
	open := map[uint16]message{}
	for i := range StaticTopics {
		m := static(c.N, i)
		open[m.id] = m
		if err := conn.send(m.packet()); err != nil {
			return err
		}
	}
	for len(open) > 0 {
		got, err := readPacket(conn.r)
		if err != nil {
			return fmt.Errorf("waiting for %d acknowledgements: %w", len(open), err)
		}
		if got.kind != puback || len(got.body) < 2 {
			continue
		}
		id := binary.BigEndian.Uint16(got.body)
		if m, ok := open[id]; ok {
			p.sink.emit(Event{Kind: Acked, Client: c.Name, N: c.N, Topic: m.topic, Value: m.payload})
			delete(open, id)
		}
	}
	return nil
}
