package load

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Kinds of events.
const (
	Up       = "up"       // a client is connected, and subscribed if it wants to
	Down     = "down"     // its connection is lost
	Refused  = "refused"  // a connection didn't come about
	Pod      = "pod"      // Address is the pod that its connection leads to
	Received = "received" // a subscriber received message N
	Acked    = "acked"    // a publisher got the PUBACK for message N
	Held     = "held"     // the writer of retained messages has nothing under way
	Written  = "written"  // round N of the retained messages that stay is acknowledged, or Error says why not
	Snapshot = "snapshot" // Retained is what Address had
)

// Event is what a client saw.
type Event struct {
	// At is when, by Now's clock.
	At time.Duration `json:"at"`
	// Kind is one of the constants.
	Kind string `json:"kind"`
	// Client names the client.
	Client string `json:"client,omitempty"`
	// Conn counts the client's connections, from 1.
	Conn int `json:"conn,omitempty"`
	// N is the number of a message, from 1.
	N int `json:"n,omitempty"`
	// Sent is, for Acked, when the message was first sent on this connection.
	Sent time.Duration `json:"sent,omitempty"`
	// Topic and Value are, for Acked, of a retained message; a deleted one has
	// no value.
	Topic string `json:"topic,omitempty"`
	Value string `json:"value,omitempty"`
	// Address is a broker's.
	Address string `json:"address,omitempty"`
	// Retained are values by topic.
	Retained map[string]string `json:"retained,omitempty"`
	// Error is what went wrong.
	Error string `json:"error,omitempty"`
}

// Now is the time since the machine's start, the same in all its processes.
func Now() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano())
}

// sink writes events, one a line.
type sink struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newSink(w io.Writer) *sink { return &sink{out: json.NewEncoder(w)} }

// emit stamps and writes e.
func (s *sink) emit(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.At == 0 {
		e.At = Now()
	}
	_ = s.out.Encode(e) // nobody reads on: the process is about to be ended
}
