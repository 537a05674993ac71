package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// echo is a broker of one topic's kind: it acknowledges all, and sends what is
// published to each subscriber, whatever of.
type echo struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	subs  map[net.Conn]string
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: l, subs: map[net.Conn]string{}}
	t.Cleanup(func() { l.Close(); e.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conns = append(e.conns, c)
			e.mu.Unlock()
			go e.serve(c)
		}
	}()
	return e
}

// cut ends all connections.
func (e *echo) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.conns {
		c.Close()
	}
	e.conns, e.subs = nil, map[net.Conn]string{}
}

func (e *echo) serve(c net.Conn) {
	r := bufio.NewReader(c)
	for {
		p, err := readPacket(r)
		if err != nil {
			return
		}
		e.mu.Lock()
		switch p.kind {
		case connect:
			c.Write(packet{connack, 0, []byte{0, 0}}.bytes())
		case subscribe:
			n := int(p.body[3])
			e.subs[c] = string(p.body[4 : 4+n])
			c.Write(packet{suback, 0, []byte{0, 1, 1}}.bytes())
		case pingreq:
			c.Write(packet{13, 0, nil}.bytes())
		case publish:
			m, _ := parseMessage(p)
			if m.qos > 0 {
				c.Write(packet{puback, 0, []byte{byte(m.id >> 8), byte(m.id)}}.bytes())
			}
			for to, topic := range e.subs {
				if topic == m.topic {
					to.Write(p.bytes())
				}
			}
		}
		e.mu.Unlock()
	}
}

// Clients publish, receive, come back when they are cut off, and go.
func TestClients(t *testing.T) {
	e := newEcho(t)
	in, tell := io.Pipe()
	seen, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Run(t.Context(), in, out); out.Close() }()
	defer time.AfterFunc(2*time.Minute, func() { seen.Close(); tell.Close() }).Stop()
	enc := json.NewEncoder(tell)
	login := Login{Address: e.Addr().String(), User: "u", Password: "p"}
	_ = enc.Encode(Command{Do: DoClients, N: 1, Login: login})
	pin := Command{Do: DoPin, Name: "pinned", Login: login}
	_ = enc.Encode(pin)

	var events []Event
	stay := []string{Subscriber(0, 0), Publisher(0, 0), Subscriber(1, 0), Publisher(1, 0), Retainer}
	// On a busy machine a client may be late, or lose its connection once more.
	each := func(ups int, clients ...string) bool {
		return !slices.ContainsFunc(clients, func(c string) bool { return count(events, Up, c) < ups })
	}
	cut, held, ended := false, false, false
	for dec := json.NewDecoder(seen); !ended; {
		var ev Event
		if err := dec.Decode(&ev); err != nil {
			break
		}
		events = append(events, ev)
		n := count(events, Received, Subscriber(1, 0))
		if ev.Kind == Refused && ev.Client == pin.Name {
			go enc.Encode(pin)
		}
		if !cut && n >= 5 && each(1, stay...) && each(1, Newcomer, pin.Name) {
			cut = true
			e.cut()
		}
		if cut && !held && n >= 12 && each(2, stay...) && each(2, Newcomer) && count(events, Acked, Newcomer) > 0 {
			held = true
			go enc.Encode(Command{Do: DoHold})
		}
		if ev.Kind == Held && !ended {
			ended = true
			go tell.Close()
			go io.Copy(io.Discard, seen)
		}
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it doesn't end")
	}
	if got := count(events, Up, pin.Name); !held || got != 1 {
		t.Errorf("all came back: %v; the pinned one was up %d times, not once", held, got)
	}
	var numbers []int
	for _, ev := range events {
		if ev.Kind == Acked && ev.Client == Publisher(1, 0) {
			numbers = append(numbers, ev.N)
			if ev.Sent <= 0 || ev.At < ev.Sent {
				t.Errorf("acknowledged at %v, but sent at %v", ev.At, ev.Sent)
			}
		}
	}
	if slices.Sort(numbers); len(slices.Compact(numbers)) != numbers[len(numbers)-1] {
		t.Errorf("not all are acknowledged: %v", numbers)
	}
}

func count(events []Event, kind, client string) (n int) {
	for _, e := range events {
		if e.Kind == kind && e.Client == client {
			n++
		}
	}
	return n
}

// A broker that accepts but says nothing is given up in time.
func TestDialLimit(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	began := time.Now()
	if _, err := dial(t.Context(), Login{Address: l.Addr().String()}, "c", "", 0); err == nil {
		t.Error("it is connected")
	}
	if took := time.Since(began); took < connectLimit || took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestPodOf(t *testing.T) {
	const line = "tcp      6 86399 ESTABLISHED src=10.88.77.101 dst=10.96.0.9 sport=4 dport=1883 src=10.244.1.5 dst=10.88.77.101 sport=1883 dport=4 [ASSURED] mark=0 use=1\n"
	if got := podOf(line); got != "10.244.1.5" {
		t.Errorf("it is %q", got)
	}
	if got := podOf("tcp 6 src=10.88.77.101 dst=10.96.0.9"); got != "" {
		t.Errorf("it is %q", got)
	}
}

// What the writer of retained messages does comes around: each topic is set,
// and deleted.
func TestChange(t *testing.T) {
	set, deleted := map[string]int{}, map[string]int{}
	for n := range 6 * RetainedTopics {
		if m := change(n); m.payload == "" {
			deleted[m.topic]++
		} else {
			set[m.topic]++
		}
	}
	for topic, n := range set {
		if n != 4 || deleted[topic] != 2 {
			t.Errorf("%s is set %d and deleted %d times", topic, n, deleted[topic])
		}
	}
	if len(set) != RetainedTopics {
		t.Errorf("there are %d topics", len(set))
	}
}

func FuzzReadPacket(f *testing.F) {
	f.Add(message{topic: "t", payload: "p", qos: 1, id: 7}.packet().bytes())
	f.Add(packet{connack, 0, []byte{0, 0}}.bytes())
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := readPacket(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		again, err := readPacket(bufio.NewReader(bytes.NewReader(p.bytes())))
		if err != nil || again.kind != p.kind || !bytes.Equal(again.body, p.body) {
			t.Errorf("%v becomes %v, %v", p, again, err)
		}
		if m, err := parseMessage(p); err == nil && p.kind == publish && m.qos < 3 {
			if back, err := parseMessage(m.packet()); err != nil || back != m {
				t.Errorf("%v becomes %v, %v", m, back, err)
			}
		}
	})
}
