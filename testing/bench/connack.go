package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// connectUntil logs in as soon as something listens on address.
func connectUntil(ctx context.Context, address, user string, password []byte) error {
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			deadline, _ := ctx.Deadline() // none is the zero time, which is none here as well
			return login(c, deadline, user, password)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; the last attempt: %w", context.Cause(ctx), err)
		case <-time.After(100 * time.Microsecond):
		}
	}
}

// login sends an MQTT 3.1.1 CONNECT over c, reads the CONNACK, and closes c. It
// is written out here since an MQTT library would do more than is to be timed.
func login(c net.Conn, deadline time.Time, user string, password []byte) error {
	defer c.Close()
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	body := append(field([]byte("MQTT")), 4, 0xc2, 0, 60) // level; user, password, clean session; keepalive
	for _, f := range [][]byte{nil, []byte(user), password} {
		body = append(body, field(f)...)
	}
	if len(body) > 127 {
		return fmt.Errorf("user and password of %d bytes are too long", len(body))
	}
	if _, err := c.Write(append([]byte{0x10, byte(len(body))}, body...)); err != nil {
		return err
	}
	var ack [4]byte
	if _, err := io.ReadFull(c, ack[:]); err != nil {
		return err
	}
	if ack[0] != 0x20 || ack[3] != 0 {
		return fmt.Errorf("the broker answered % x", ack)
	}
	return nil
}

// field is a string as MQTT writes it.
func field(s []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) //nolint:gosec // short
}
