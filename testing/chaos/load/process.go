package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Things to do.
const (
	DoClients  = "clients"  // start N pairs of each QoS, the newcomer, and the writer of retained messages
	DoHold     = "hold"     // make no more changes of retained messages
	DoGo       = "go"       // make them again
	DoWrite    = "write"    // write round N of the retained messages that stay as they are
	DoSnapshot = "snapshot" // read what Login's broker has retained
	DoPin      = "pin"      // connect a writer to Login's broker, once; an earlier one leaves
	DoUnpin    = "unpin"    // have it leave
)

// Command is one line of what a process is told.
type Command struct {
	// Do is one of the constants.
	Do string `json:"do"`
	// Login is where to, but for DoHold, DoGo and DoUnpin.
	Login Login `json:"login,omitzero"`
	// N is a number of pairs, or of a round.
	N int `json:"n,omitempty"`
	// Name tells this command's client from others.
	Name string `json:"name,omitempty"`
}

// process is what runs where the commands come in.
type process struct {
	sink     *sink
	clients  sync.WaitGroup
	retained *retainer
	pinned   context.CancelFunc
}

// Run does what the lines of in say, and writes events to out, until in or ctx
// ends.
func Run(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	p := process{sink: newSink(out), pinned: func() {}}
	defer p.clients.Wait()
	defer cancel()
	for dec := json.NewDecoder(in); ; {
		var c Command
		if err := dec.Decode(&c); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("reading a command: %w", err)
		}
		if err := p.do(ctx, c); err != nil {
			return err
		}
	}
}

func (p *process) do(ctx context.Context, c Command) error {
	switch c.Do {
	case DoClients:
		p.start(ctx, c)
	case DoHold, DoGo:
		if p.retained == nil {
			return fmt.Errorf("doing %q: there are no clients", c.Do)
		}
		p.retained.holding(c.Do == DoHold)
	case DoWrite:
		p.clients.Go(func() { p.write(ctx, c) })
	case DoSnapshot:
		p.clients.Go(func() { p.snapshot(ctx, c) })
	case DoPin:
		p.pinned()
		var once context.Context
		once, p.pinned = context.WithCancel(ctx)
		p.clients.Go(func() { p.pin(once, c) })
	case DoUnpin:
		p.pinned()
	default:
		return fmt.Errorf("doing %q: nobody knows how", c.Do)
	}
	return nil
}

// start starts the clients that measure.
func (p *process) start(ctx context.Context, c Command) {
	for qos := range byte(2) {
		for i := range c.N {
			topic := fmt.Sprintf("chaos/load/%d/%d", qos, i)
			sub := newSubscriber(Subscriber(int(qos), i), c.Login, p.sink, topic, qos)
			pub := newPublisher(Publisher(int(qos), i), c.Login, p.sink, topic, qos)
			p.clients.Go(func() { sub.run(ctx) })
			p.clients.Go(func() { pub.run(ctx) })
			p.clients.Go(func() { pub.send(ctx) })
		}
	}
	newcomer := &client{name: Newcomer, login: c.Login, sink: p.sink}
	p.clients.Go(func() { newcomer.visit(ctx) })
	p.retained = newRetainer(Retainer, c.Login, p.sink)
	p.clients.Go(func() { p.retained.run(ctx) })
	p.clients.Go(func() { p.retained.send(ctx) })
}

// Subscriber and Publisher name the ith clients of a QoS, and Retainer the
// writer of retained messages.
func Subscriber(qos, i int) string { return fmt.Sprintf("sub-%d-%d", qos, i) }

// Publisher is the ith publisher's name; see Subscriber.
func Publisher(qos, i int) string { return fmt.Sprintf("pub-%d-%d", qos, i) }

// Retainer is the name of the writer of retained messages.
const Retainer = "retainer"

func (p *process) snapshot(ctx context.Context, c Command) {
	e := Event{Kind: Snapshot, Client: c.Name, Address: c.Login.Address}
	var err error
	if e.Retained, err = snapshot(ctx, c.Login, c.Name); err != nil {
		e.Error = err.Error()
	}
	p.sink.emit(e)
}

// pin connects a writer, once, and has it write until its connection ends.
func (p *process) pin(ctx context.Context, c Command) {
	w := newPublisher(c.Name, c.Login, p.sink, "chaos/pinned/"+c.Name, 1)
	conn, err := dial(ctx, w.login, w.name, "", 1)
	if err != nil {
		p.sink.emit(Event{Kind: Refused, Client: c.Name, Address: c.Login.Address, Error: err.Error()})
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go w.send(ctx)
	w.serve(ctx, conn)
}
