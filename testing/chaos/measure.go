package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
)

// figures are what one run came to.
type figures struct {
	// outage is, per QoS, the longest time that a subscriber was without a
	// message, of the subscriber that had the longest.
	outage [2]time.Duration
	// acked is how many QoS 1 messages publishers got a PUBACK for; lost are
	// those that the subscriber never received, away those of them that were sent
	// to the new broker before the subscriber was back.
	acked, lost, away int
	// twice is how many a subscriber received more than once.
	twice int
	// both are acknowledgements of the old broker that come after the new one's.
	both []string
	// strays are clients that are served by the other broker than the active one.
	strays []string
	// switches is how often another broker became the active one, and needless
	// how often for no reason; missing is how many there had to be and weren't.
	switches, needless, missing int
	// retained is what is wrong with retained messages afterwards; stale is how
	// many have an older value than was acknowledged.
	retained []string
	stale    int
	// gone is how many are lost, where the fault may do that.
	gone int
	// fault is what kept the run from being one.
	fault string
}

// lostHere is how many acknowledged messages were lost while the subscriber was
// there.
func (f figures) lostHere() int { return f.lost - f.away }

// worst is the longer of the outages.
func (f figures) worst() time.Duration { return max(f.outage[0], f.outage[1]) }

// told is of how many wrong retained messages is said what is wrong with them: a
// broker that has lost them has lost all.
const told = 2

// unsafe says what must never be.
func (f figures) unsafe() []string {
	all := append(slices.Clone(f.both), f.retained[:min(len(f.retained), told)]...)
	if more := len(f.retained) - told; more > 0 {
		all = append(all, fmt.Sprintf("retained: %d more are wrong", more))
	}
	if len(f.strays) > 0 {
		all = append(all, "served by the standby: "+strings.Join(f.strays, ", "))
	}
	return all
}

// measure reads a run from its events: the fault came at, the run ended at end.
func measure(events []load.Event, pairs int, at, end time.Duration) figures {
	var f figures
	for qos := range 2 {
		for i := range pairs {
			f.outage[qos] = max(f.outage[qos], gap(events, load.Subscriber(qos, i), at, end))
		}
	}
	for i := range pairs {
		f.delivered(events, load.Publisher(1, i), load.Subscriber(1, i), end)
	}
	f.both = overlaps(events)
	return f
}

// gap is the longest time between two messages that a subscriber received, from
// the last one before a fault on.
func gap(events []load.Event, subscriber string, at, end time.Duration) time.Duration {
	last, longest := time.Duration(0), time.Duration(0)
	for _, e := range events {
		if e.Kind != load.Received || e.Client != subscriber {
			continue
		}
		if e.At >= at {
			longest = max(longest, e.At-max(last, at-time.Second))
		}
		last = e.At
	}
	return max(longest, end-max(last, at))
}

// delivered compares what a publisher had acknowledged with what its subscriber
// received. What was sent in the last second may be under way.
func (f *figures) delivered(events []load.Event, publisher, subscriber string, end time.Duration) {
	received := map[int]int{}
	first := 0
	for _, e := range events {
		if e.Kind != load.Received || e.Client != subscriber {
			continue
		}
		if received[e.N]++; first == 0 {
			first = e.N
		}
	}
	for _, n := range received {
		if n > 1 {
			f.twice++
		}
	}
	for _, e := range events {
		if e.Kind != load.Acked || e.Client != publisher || e.N <= first || e.Sent > end-time.Second {
			continue
		}
		f.acked++
		if received[e.N] > 0 {
			continue
		}
		f.lost++
		// The publisher was back when it sent this, and the subscriber wasn't yet.
		if upAt(events, publisher, e.Conn) > lastUp(events, subscriber, e.Sent) {
			f.away++
		}
	}
}

// lastUp is when the connection came up that a client had last, at a time.
func lastUp(events []load.Event, client string, at time.Duration) (up time.Duration) {
	for _, e := range events {
		if e.Kind == load.Up && e.Client == client && e.At <= at {
			up = max(up, e.At)
		}
	}
	return up
}

// upAt is when a client's connection came up; zero where that was earlier than
// the events.
func upAt(events []load.Event, client string, conn int) time.Duration {
	for _, e := range events {
		if e.Kind == load.Up && e.Client == client && e.Conn == conn {
			return e.At
		}
	}
	return 0
}

// link is a connection to a broker's pod.
type link struct {
	client   string
	conn     int
	pod      string
	up       time.Duration
	service  bool          // it was the Service that led there
	firstAck time.Duration // when the first PUBACK had come
	lastSent time.Duration // when the last message was sent that was acknowledged
}

// pinnedPrefix begins the names of writers that stay with a broker.
const pinnedPrefix = "pinned-"

// links returns the connections of writers whose broker is known.
func links(events []load.Event) []*link {
	type key struct {
		client string
		conn   int
	}
	all := map[key]*link{}
	var order []*link
	of := func(e load.Event) *link {
		k := key{e.Client, e.Conn}
		if all[k] == nil {
			all[k] = &link{client: e.Client, conn: e.Conn, service: !strings.HasPrefix(e.Client, pinnedPrefix)}
			order = append(order, all[k])
		}
		return all[k]
	}
	for _, e := range events {
		switch e.Kind {
		case load.Up:
			of(e).up = e.At
		case load.Pod:
			of(e).pod = e.Address
		case load.Acked:
			l := of(e)
			if l.firstAck == 0 {
				l.firstAck = e.At
			}
			l.lastSent = max(l.lastSent, e.Sent)
		}
	}
	return slices.DeleteFunc(order, func(l *link) bool { return l.pod == "" || l.firstAck == 0 })
}

// overlaps finds two brokers that accept writes. A writer that was led to one
// broker must get nothing acknowledged that it sends after another broker, to
// which the Service has led someone since, has acknowledged something: the first
// one had to be stopped by then, and its connections with it. Times of sending
// and of receipt make this certain: no delay can feign it.
func overlaps(events []load.Event) []string {
	var found []string
	all := links(events)
	for _, old := range all {
		for _, now := range all {
			if now.service && now.pod != old.pod && now.up > old.up && old.lastSent > now.firstAck {
				found = append(found, fmt.Sprintf("two brokers: %s (connection %d) at %s, connected for %s, had a message acknowledged that it sent %s after %s (connection %d) at %s had",
					old.client, old.conn, old.pod, (now.up-old.up).Round(time.Millisecond), (old.lastSent-now.firstAck).Round(time.Millisecond), now.client, now.conn, now.pod))
				break
			}
		}
	}
	return found
}
