package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/eclipse/paho.golang/packets"
)

// wire is an MQTT 5 connection, packet by packet: for what keeps its own time
// and must not wait for one answer before the next question. One goroutine may
// write while another one reads.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	out  bytes.Buffer
}

// readAhead is the buffer of a wire: a broker that sends all it has drops what
// the reader is too slow for.
const readAhead = 256 << 10

func newWire(conn net.Conn) *wire {
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, readAhead)}
}

// connect asks for a new session without an end of its own. keepAlive is in
// seconds; 0 is none.
func (w *wire) connect(l login, keepAlive uint16) {
	p := packets.NewControlPacket(packets.CONNECT)
	c := p.Content.(*packets.Connect)
	c.CleanStart, c.KeepAlive = true, keepAlive
	c.UsernameFlag, c.Username = l.user != "", l.user
	c.PasswordFlag, c.Password = l.password != nil, l.password
	w.add(p)
}

// subscribe asks for the filters' messages at quality of service 0.
func (w *wire) subscribe(filters ...string) {
	p := packets.NewControlPacket(packets.SUBSCRIBE)
	s := p.Content.(*packets.Subscribe)
	s.PacketID = 1
	for _, f := range filters {
		s.Subscriptions = append(s.Subscriptions, packets.SubOptions{Topic: f})
	}
	w.add(p)
}

// publish sends a message at quality of service 0.
func (w *wire) publish(topic string, payload []byte) {
	p := packets.NewControlPacket(packets.PUBLISH)
	m := p.Content.(*packets.Publish)
	m.Topic, m.Payload = topic, payload
	w.add(p)
}

func (w *wire) add(p *packets.ControlPacket) {
	// Neither our fields nor a buffer can refuse it.
	_, _ = p.WriteTo(&w.out)
}

// flush sends what was added, in one segment where it fits.
func (w *wire) flush() error {
	defer w.out.Reset()
	_, err := w.conn.Write(w.out.Bytes())
	return err
}

// errTalk is a broker that doesn't keep to the protocol.
var errTalk = errors.New("the broker sent what nobody asked for")

// read returns the next message, or nil where the next packet is the broker's
// consent to connect, or to subscribe if subscribed is set. A refusal is a
// *refusedError.
func (w *wire) read() (m *packets.Publish, subscribed bool, err error) {
	p, err := packets.ReadPacket(w.in)
	if errors.Is(err, io.EOF) {
		return nil, false, errors.New("the broker closed the connection")
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading from the broker: %w", err)
	}
	switch c := p.Content.(type) {
	case *packets.Publish:
		return c, false, nil
	case *packets.Connack:
		return nil, false, refusedBy("login", c.ReasonCode)
	case *packets.Suback:
		return nil, true, refusedBy("subscription", slices.Max(append(c.Reasons, 0)))
	case *packets.Disconnect:
		return nil, false, refusedBy("connection", c.ReasonCode)
	}
	return nil, false, errTalk
}

func refusedBy(what string, code byte) error {
	if code < 0x80 {
		return nil
	}
	bad := code == packets.ConnackBadUsernameOrPassword || code == packets.ConnackNotAuthorized
	return &refusedError{what, code, what == "login" && bad}
}
