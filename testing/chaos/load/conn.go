package load

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"
)

// The waits; see the package's comment.
const (
	connectLimit = 500 * time.Millisecond
	keepalive    = time.Second
	retryAfter   = 100 * time.Millisecond
)

// Login is a broker's address, as HOST:PORT, and who goes there.
type Login struct {
	Address  string `json:"address"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
}

// conn is a connection that the broker has accepted.
type conn struct {
	net.Conn
	r  *bufio.Reader
	mu sync.Mutex // one packet at a time
}

// dial connects as client id, and subscribes to topic, if any, within the limit.
func dial(ctx context.Context, to Login, id, topic string, qos byte) (*conn, error) {
	end := time.Now().Add(connectLimit)
	dialer := net.Dialer{Deadline: end}
	raw, err := dialer.DialContext(ctx, "tcp4", to.Address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, r: bufio.NewReader(raw)}
	_ = c.SetDeadline(end)
	if err = c.hello(to, id); err == nil && topic != "" {
		err = c.subscribe(topic, qos)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	_ = c.SetDeadline(time.Time{})
	return c, nil
}

// hello logs in with a clean session.
func (c *conn) hello(to Login, id string) error {
	flags := byte(2)
	if to.User != "" {
		flags |= 0xc0
	}
	body := append(text(nil, "MQTT"), 4, flags)
	body = text(binary.BigEndian.AppendUint16(body, uint16(keepalive/time.Second)), id)
	if to.User != "" {
		body = text(text(body, to.User), to.Password)
	}
	if _, err := c.Write(packet{connect, 0, body}.bytes()); err != nil {
		return err
	}
	p, err := readPacket(c.r)
	if err != nil {
		return err
	}
	if p.kind != connack || len(p.body) != 2 || p.body[1] != 0 {
		return fmt.Errorf("logging in: the broker says %d %v", p.kind, p.body)
	}
	return nil
}

func (c *conn) subscribe(topic string, qos byte) error {
	body := append(text([]byte{0, 1}, topic), qos)
	if _, err := c.Write(packet{subscribe, 2, body}.bytes()); err != nil {
		return err
	}
	// Retained messages may come before the answer; nobody here subscribes to
	// what would be missed for it, but snapshots, which read on by themselves.
	p, err := readPacket(c.r)
	if err != nil {
		return err
	}
	if p.kind != suback || len(p.body) != 3 || p.body[2] > 2 {
		return fmt.Errorf("subscribing to %q: the broker says %d %v", topic, p.kind, p.body)
	}
	return nil
}

// send writes a packet; whoever doesn't take it in for the keepalive is gone.
func (c *conn) send(p packet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.SetWriteDeadline(time.Now().Add(keepalive))
	_, err := c.Write(p.bytes())
	return err
}

// read hands over what comes until the connection is lost or falls silent.
func (c *conn) read(each func(packet) error) error {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		tick := time.NewTicker(keepalive / 2)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if c.send(packet{kind: pingreq}) != nil {
					_ = c.Close()
					return
				}
			}
		}
	}()
	for {
		_ = c.SetReadDeadline(time.Now().Add(keepalive))
		p, err := readPacket(c.r)
		if err != nil {
			return err
		}
		if err := each(p); err != nil {
			return err
		}
	}
}

// bye leaves politely.
func (c *conn) bye() {
	_ = c.send(packet{kind: disconnect})
	_ = c.Close()
}
