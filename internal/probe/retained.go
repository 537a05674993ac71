package probe

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"

	"github.com/eclipse/paho.golang/packets"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// RetainedOptions say whose retained messages to look at.
type RetainedOptions struct {
	// Dial connects to the broker's listener, and through TLS where it has it.
	Dial func(ctx context.Context) (net.Conn, error)
	// Username logs in with Password and may read everything that counts, and
	// read and write Marker. An empty one logs in with neither.
	Username string
	Password []byte
	// Marker is a topic that begins with $, for a message to itself.
	Marker string
}

// Retained returns what a broker has retained: the SHA-256 of the payload by
// topic, without topics that begin with $ and those that the user may not read.
//
// It is what was there at the one moment in which the broker took the
// subscription: messages published later come without the retain flag and
// don't count. Mosquitto throws away what a subscriber is too slow for once
// max_queued_messages (1000 by default) wait for it, and its own
// acknowledgement then too, from 2.0.16: no end is found, and that is an error
// when ctx is done. Of older ones nothing is known. With max_queued_messages 0 nothing is thrown away.
func Retained(ctx context.Context, o RetainedOptions) (map[string][sha256.Size]byte, error) {
	conn, err := o.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	s := snapshot{wire: newWire(conn), marker: o.Marker, token: rand.Text(), found: map[string][sha256.Size]byte{}}
	s.wire.connect(login{o.Username, o.Password}, 0)
	s.wire.subscribe("#", o.Marker)
	err = s.wire.flush()
	for err == nil && !s.complete {
		err = s.step()
	}
	if err == nil {
		return s.found, nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	err = fmt.Errorf("reading what is retained: %w", err)
	if len(s.found) > 0 && ctx.Err() != nil {
		err = fault.Hint(fmt.Errorf("%w, after %d messages", err, len(s.found)), "set max_queued_messages 0 in mosquitto.conf: the broker throws away what it can't send at once")
	}
	return nil, err
}

// snapshot is a Retained under way.
type snapshot struct {
	wire          *wire
	marker, token string
	found         map[string][sha256.Size]byte
	// complete says that all that is retained has arrived.
	complete bool
}

// step takes a packet. Once the subscription stands the marker is sent, and it
// comes back behind all that is retained: at quality of service 0 the broker
// keeps the order of a connection.
func (s *snapshot) step() error {
	m, subscribed, err := s.wire.read()
	switch {
	case err != nil:
		return err
	case subscribed:
		s.wire.publish(s.marker, []byte(s.token))
		return s.wire.flush()
	case m != nil:
		s.take(m)
	}
	return nil
}

func (s *snapshot) take(m *packets.Publish) {
	switch {
	case m.Topic == s.marker:
		s.complete = string(m.Payload) == s.token
	case m.Retain:
		s.found[m.Topic] = sha256.Sum256(m.Payload)
	}
}
