package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Packet types of MQTT 3.1.1, section 2.2.1.
const (
	connect    = 1
	connack    = 2
	publish    = 3
	puback     = 4
	subscribe  = 8
	suback     = 9
	pingreq    = 12
	disconnect = 14
)

// maxPacket bounds what is read; clients here send little.
const maxPacket = 1 << 20

// packet is one as it is on the wire, less its length.
type packet struct {
	kind, flags byte
	body        []byte
}

// bytes returns the packet with its length.
func (p packet) bytes() []byte {
	out := []byte{p.kind<<4 | p.flags}
	n := len(p.body)
	for {
		digit := byte(n % 128)
		if n /= 128; n > 0 {
			digit |= 128
		}
		out = append(out, digit)
		if n == 0 {
			return append(out, p.body...)
		}
	}
}

// readPacket reads one.
func readPacket(r *bufio.Reader) (packet, error) {
	first, err := r.ReadByte()
	if err != nil {
		return packet{}, err
	}
	length, shift := 0, 0
	for {
		digit, err := r.ReadByte()
		if err != nil {
			return packet{}, err
		}
		length |= int(digit&127) << shift
		if digit&128 == 0 {
			break
		}
		if shift += 7; shift > 21 {
			return packet{}, errors.New("reading a packet: its length has no end")
		}
	}
	if length > maxPacket {
		return packet{}, fmt.Errorf("reading a packet: %d bytes are too many", length)
	}
	p := packet{kind: first >> 4, flags: first & 15, body: make([]byte, length)}
	_, err = io.ReadFull(r, p.body)
	return p, err
}

// text appends a string as MQTT has it.
func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// message is a PUBLISH.
type message struct {
	topic, payload string
	qos            byte
	retain         bool
	id             uint16
}

func (m message) packet() packet {
	flags := m.qos << 1
	if m.retain {
		flags |= 1
	}
	body := text(nil, m.topic)
	if m.qos > 0 {
		body = binary.BigEndian.AppendUint16(body, m.id)
	}
	return packet{publish, flags, append(body, m.payload...)}
}

// parseMessage reads a PUBLISH.
func parseMessage(p packet) (message, error) {
	m := message{qos: p.flags >> 1 & 3, retain: p.flags&1 != 0}
	fault := fmt.Errorf("reading a message: %d bytes are too few", len(p.body))
	if len(p.body) < 2 {
		return m, fault
	}
	n := int(binary.BigEndian.Uint16(p.body))
	rest := p.body[2:]
	if len(rest) < n {
		return m, fault
	}
	m.topic, rest = string(rest[:n]), rest[n:]
	if m.qos > 0 {
		if len(rest) < 2 {
			return m, fault
		}
		m.id, rest = binary.BigEndian.Uint16(rest), rest[2:]
	}
	m.payload = string(rest)
	return m, nil
}
