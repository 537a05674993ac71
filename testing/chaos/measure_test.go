package main

import (
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
)

const ms = time.Millisecond

func TestGap(t *testing.T) {
	at := func(times ...int) []load.Event {
		var all []load.Event
		for _, n := range times {
			all = append(all, load.Event{At: time.Duration(n) * ms, Kind: load.Received, Client: "s"})
		}
		return all
	}
	for name, test := range map[string]struct {
		events []load.Event
		want   time.Duration
	}{
		"steady":            {at(9950, 10000, 10050, 10100, 10150, 10200), 50 * ms},
		"out":               {at(9950, 10000, 10900, 10950, 11000, 11050), 900 * ms},
		"out before alone":  {at(9000, 9900, 9950, 10000, 10050, 10100), 50 * ms},
		"never back":        {at(9950, 10000), 5000 * ms},
		"nothing":           {nil, 5000 * ms},
		"twice, the longer": {at(9950, 10300, 10800, 10850), 4150 * ms},
	} {
		end := 15000 * ms
		if name != "never back" && name != "nothing" && name != "twice, the longer" {
			end = test.events[len(test.events)-1].At
		}
		if got := gap(test.events, "s", 10000*ms, end); got != test.want {
			t.Errorf("%s: %s, not %s", name, got, test.want)
		}
	}
}

// events of connections: who, which, to which pod, up, and when a message was
// sent and acknowledged.
func connection(client string, conn int, pod string, up int, acks ...[2]int) []load.Event {
	all := []load.Event{
		{At: time.Duration(up) * ms, Kind: load.Up, Client: client, Conn: conn},
		{At: time.Duration(up+3) * ms, Kind: load.Pod, Client: client, Conn: conn, Address: pod},
	}
	for _, a := range acks {
		all = append(all, load.Event{At: time.Duration(a[1]) * ms, Kind: load.Acked, Client: client, Conn: conn, Sent: time.Duration(a[0]) * ms})
	}
	return all
}

func TestOverlaps(t *testing.T) {
	for name, test := range map[string]struct {
		events [][]load.Event
		want   int
	}{
		"one after the other": {[][]load.Event{
			connection("pinned-n1", 1, "a", 0, [2]int{10, 12}, [2]int{900, 905}),
			connection("pub-1-0", 2, "b", 1000, [2]int{1001, 1003}),
		}, 0},
		"the old one goes on": {[][]load.Event{
			connection("pinned-n1", 1, "a", 0, [2]int{10, 12}, [2]int{1100, 1103}),
			connection("pub-1-0", 2, "b", 1000, [2]int{1001, 1003}),
		}, 1},
		"the old one's answer comes late": {[][]load.Event{
			connection("pinned-n1", 1, "a", 0, [2]int{10, 12}, [2]int{999, 1400}),
			connection("pub-1-0", 2, "b", 1000, [2]int{1001, 1003}),
		}, 0},
		"back and forth": {[][]load.Event{
			connection("pub-1-0", 1, "a", 0, [2]int{10, 12}),
			connection("pub-1-0", 2, "b", 1000, [2]int{1001, 1003}, [2]int{1900, 1903}),
			connection("pub-1-0", 3, "a", 2000, [2]int{2001, 2003}, [2]int{2900, 2903}),
		}, 0},
		"a newcomer is led to another, and the old one goes on": {[][]load.Event{
			connection("pub-1-0", 1, "a", 0, [2]int{10, 12}, [2]int{1900, 1903}),
			connection(load.Newcomer, 1, "b", 1000, [2]int{1001, 1003}),
		}, 1},
		"someone at the standby": {[][]load.Event{
			connection("pub-1-0", 1, "a", 0, [2]int{10, 12}, [2]int{2010, 2012}),
			connection("pinned-n2", 1, "b", 1000, [2]int{1001, 1003}),
		}, 0},
	} {
		var all []load.Event
		for _, c := range test.events {
			all = append(all, c...)
		}
		if got := overlaps(all); len(got) != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestDelivered(t *testing.T) {
	var events []load.Event
	add := func(kind, client string, conn, n, at int) {
		events = append(events, load.Event{At: time.Duration(at) * ms, Kind: kind, Client: client, Conn: conn, N: n, Sent: time.Duration(at-2) * ms})
	}
	pub, sub := load.Publisher(1, 0), load.Subscriber(1, 0)
	for n := 1; n <= 5; n++ {
		add(load.Received, sub, 1, n, 100*n)
		add(load.Acked, pub, 1, n, 100*n+1)
	}
	add(load.Acked, pub, 1, 6, 601) // goes with the broker
	add(load.Up, pub, 2, 0, 1500)
	add(load.Acked, pub, 2, 7, 1510) // the subscriber isn't back yet
	add(load.Up, sub, 2, 0, 1600)
	add(load.Acked, pub, 2, 10, 1601) // sent before the subscriber was back, too
	add(load.Acked, pub, 2, 8, 1700)
	add(load.Received, sub, 2, 8, 1700)
	add(load.Received, sub, 2, 8, 1750)
	add(load.Acked, pub, 2, 9, 4900) // under way
	var f figures
	f.delivered(events, pub, sub, 5000*ms)
	if f.acked != 8 || f.lost != 3 || f.away != 2 || f.twice != 1 || f.lostHere() != 1 {
		t.Errorf("%+v", f)
	}
}

func TestLedger(t *testing.T) {
	topic := load.RetainedPrefix + "1"
	done := func(n, at int, value string) load.Event {
		return load.Event{At: time.Duration(at) * ms, Kind: load.Acked, N: n, Topic: topic, Value: value}
	}
	l := ledger{}
	l.note([]load.Event{done(1, 1000, "1"), done(2, 3000, ""), done(3, 9500, "3"), done(3, 9500, "3"), done(4, 12000, "4")})
	for value, test := range map[string]struct{ wrong, stale int }{
		"4": {0, 0}, // the last
		"3": {0, 1}, // of the last moment before the fault
		"":  {0, 1}, // from before
		"1": {1, 1}, // back after its deletion
	} {
		wrong, stale, _ := l.judge(map[string]string{topic: value}, 10000*ms, false)
		if len(wrong) != test.wrong || stale != test.stale {
			t.Errorf("%q: %q, %d", value, wrong, stale)
		}
	}
	if _, stale, gone := l.judge(map[string]string{}, 10000*ms, true); stale != 0 || gone != 1 {
		t.Errorf("nothing is left of the last moment, as may be, but %d stale, %d gone", stale, gone)
	}
	l.settle(map[string]string{topic: "3"})
	if wrong, stale, gone := l.judge(map[string]string{}, 20000*ms, true); len(wrong) != 0 || stale != 0 || gone != 1 {
		t.Errorf("nothing is left, as may be, but %q, %d stale, %d gone", wrong, stale, gone)
	}
	if wrong, _, gone := l.judge(map[string]string{}, 20000*ms, false); len(wrong) != 1 || gone != 0 {
		t.Errorf("nothing is left, as mayn't be, but %q, %d gone", wrong, gone)
	}
	if wrong, _, _ := l.judge(map[string]string{topic: "4"}, 20000*ms, true); len(wrong) != 1 {
		t.Errorf("settled at 3, 4 passes: %v", l)
	}
	if got := differences(map[string]string{"a": "1", "b": "1"}, map[string]string{"a": "2", "b": "1", "c": "1"}); len(got) != 2 || got[0] != "a" || got[1] != "c" {
		t.Errorf("they differ in %q", got)
	}
}

func TestStrays(t *testing.T) {
	up := func(conn int) load.Event { return load.Event{Kind: load.Up, Client: "c", Conn: conn} }
	down := func(conn int) load.Event { return load.Event{Kind: load.Down, Client: "c", Conn: conn} }
	at := func(conn int, pod string) load.Event {
		return load.Event{Kind: load.Pod, Client: "c", Conn: conn, Address: pod}
	}
	for name, test := range map[string]struct {
		events []load.Event
		want   int
	}{
		"at the active one":       {[]load.Event{up(1), at(1, "old"), down(1), up(2), at(2, "active")}, 0},
		"at the other":            {[]load.Event{up(1), at(1, "old")}, 1},
		"back at the other":       {[]load.Event{up(1), at(1, "active"), down(1), up(2), at(2, "old")}, 1},
		"told late":               {[]load.Event{up(1), down(1), up(2), at(2, "active"), at(1, "old")}, 0},
		"told after its end":      {[]load.Event{up(1), down(1), at(1, "old")}, 0},
		"on its way":              {[]load.Event{up(1), at(1, "old"), down(1)}, 0},
		"connected, not told yet": {[]load.Event{up(1), at(1, "old"), down(1), up(2)}, 0},
	} {
		j := &journal{at: map[string]load.Event{}}
		for _, e := range test.events {
			j.add(e)
		}
		if got := j.strays("active"); len(got) != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What is changed between two runs is known to the second.
func TestBegin(t *testing.T) {
	s := &stage{log: &journal{at: map[string]load.Event{}}, ledger: ledger{"t": {{N: 1, Topic: "t"}}}}
	s.log.add(load.Event{Kind: load.Acked, N: 2, Topic: "t", Value: "v"})
	began := s.begin()
	if wrong, stale, _ := s.ledger.judge(map[string]string{"t": "v"}, began, false); len(wrong) > 0 || stale > 0 {
		t.Errorf("%q, %d stale", wrong, stale)
	}
}
