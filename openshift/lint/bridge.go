package lint

import (
	"net"
	"strconv"
	"strings"
)

// bridge is a connection that a broker opens to another.
type bridge struct {
	place
	name      string
	addresses []address
	topics    []topic
	section   section
}

// address is where a bridge connects to.
type address struct {
	host string
	port int
}

// topic is what a bridge carries, by the names it has on either side.
type topic struct {
	local, remote string // filters
	out, in       bool   // from the local broker; to it
}

// take adds an address or topic line to the bridge.
func (b *bridge) take(d directive) {
	switch d.key {
	case "topic":
		b.topics = append(b.topics, newTopic(d.words()))
	default:
		for _, word := range d.words() {
			b.addresses = append(b.addresses, newAddress(word))
		}
	}
}

func newAddress(s string) address {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{host: s, port: 1883}
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		n = 1883
	}
	return address{host: host, port: n}
}

// newTopic reads "pattern [direction [qos [local-prefix [remote-prefix]]]]"; an
// empty name is written as "".
func newTopic(words []string) topic {
	at := func(n int, otherwise string) string {
		if n >= len(words) {
			return otherwise
		}
		if words[n] == `""` {
			return ""
		}
		return words[n]
	}
	direction := strings.ToLower(at(1, "out"))
	return topic{
		local:  at(3, "") + at(0, ""),
		remote: at(4, "") + at(0, ""),
		out:    direction == "out" || direction == "both",
		in:     direction == "in" || direction == "both",
	}
}

// loops tells whether a message can go round by two bridges that are defined on
// the two brokers: out by the one and back by the other, or in by both.
func loops(a, b bridge) bool {
	for _, t := range a.topics {
		for _, u := range b.topics {
			if (t.out && u.out || t.in && u.in) && overlap(t.remote, u.local) && overlap(u.remote, t.local) {
				return true
			}
		}
	}
	return false
}

// loopsAlone tells whether a message can go round by a bridge that leads back
// to its own broker.
func (b bridge) loopsAlone() bool {
	for _, t := range b.topics {
		if overlap(t.local, t.remote) {
			return true
		}
	}
	return false
}

// overlap tells whether some topic matches both filters. A first level that is
// a wildcard doesn't match one that begins with $.
func overlap(a, b string) bool {
	if strings.HasPrefix(a, "$") != strings.HasPrefix(b, "$") {
		return false
	}
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	for i := 0; ; i++ {
		switch {
		case i < len(x) && x[i] == "#", i < len(y) && y[i] == "#":
			return true
		case i == len(x) || i == len(y):
			return len(x) == len(y)
		case x[i] != y[i] && x[i] != "+" && y[i] != "+":
			return false
		}
	}
}
