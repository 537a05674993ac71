package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/lively"
)

// link is one connection of a Pinger. The Pinger's lock is that of born,
// answered, ended and cancel.
type link struct {
	p         *Pinger
	questions chan question
	born      time.Time
	// answered is when an answer last came over it; zero if never.
	answered time.Time
	// ended says that the Pinger gave it up.
	ended  bool
	cancel context.CancelFunc
}

// leastKeepAlive is when a broker may forget a connection of which the end got
// lost, in seconds: questions come more often, if not over one that is stuck.
const leastKeepAlive = 30

// lastWords is how long a broker that hung up may take to have said why.
const lastWords = 100 * time.Millisecond

var errGivenUp = errors.New("no answer on a new connection")

// ask queues a question. A link that can't get rid of them misses some.
func (l *link) ask(q question) {
	select {
	case l.questions <- q:
	default:
	}
}

// end closes the link. The Pinger's lock is held.
func (l *link) end() {
	l.ended = true
	if l.cancel != nil {
		l.cancel()
	}
}

// run connects, asks and listens until the connection ends.
func (l *link) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.p.mu.Lock()
	l.cancel = cancel
	if l.ended {
		cancel()
	}
	l.p.mu.Unlock()
	err := l.talk(ctx)
	if ctx.Err() != nil {
		err = errGivenUp
	}
	l.p.lost(l, err)
}

func (l *link) talk(ctx context.Context) error {
	conn, err := l.p.o.Dial(ctx)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	lively.Set(conn)
	w := newWire(conn)
	heard := make(chan error, 1)
	go func() { heard <- l.listen(w) }()
	// Nothing waits for an answer to what comes before it: on a network that
	// loses packets each wait is another chance to lose one.
	w.connect(login{l.p.o.Username, l.p.o.Password}, uint16(max(leastKeepAlive, 4*l.p.o.Interval.Seconds())))
	w.subscribe(l.p.o.Topic)
	err = w.flush()
	for err == nil {
		select {
		case err = <-heard:
			conn.Close()
			return err
		case q := <-l.questions:
			w.publish(l.p.o.Topic, l.p.payload(q.sequence))
			err = w.flush()
		}
	}
	return l.failed(conn, err, heard)
}

// failed ends a connection that can't be written to. What the broker said last
// tells more than that.
func (l *link) failed(conn net.Conn, err error, heard <-chan error) error {
	_ = conn.SetReadDeadline(time.Now().Add(lastWords))
	said := <-heard
	conn.Close()
	if refusal := (*refusedError)(nil); errors.As(said, &refusal) {
		return said
	}
	return fmt.Errorf("asking: %w", err)
}

// listen takes answers until the connection ends.
func (l *link) listen(w *wire) error {
	for {
		m, _, err := w.read()
		if err != nil {
			return err
		}
		if m == nil || m.Topic != l.p.o.Topic {
			continue
		}
		if sequence, ok := l.p.sequenceOf(m.Payload); ok {
			l.p.heard(l, sequence, time.Now())
		}
	}
}
