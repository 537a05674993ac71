package probe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// PingOptions say whom a Pinger asks, and how often.
type PingOptions struct {
	// Dial connects to the broker's listener, and through TLS where it has it.
	Dial func(ctx context.Context) (net.Conn, error)
	// Username logs in with Password. An empty one logs in with neither.
	Username string
	Password []byte
	// Topic is what the questions are published on. Answers to others on the
	// same topic are told apart, but are traffic; a $ in front keeps it from
	// subscribers to #, and from bridges.
	Topic string
	// Interval is the time from question to question. Default: 250ms.
	Interval time.Duration
	// Timeout is the least time that a new connection has for its first
	// answer; it has six intervals in any case. Default: 300ms.
	Timeout time.Duration
}

// Pinger asks a broker whether it is there, by MQTT messages to itself over a
// connection that it keeps open. Where answers stay out it asks over new
// connections beside that one, and takes whichever answer comes: a lost packet
// holds up the connection that it was lost on for a second, but not the others.
//
// Its methods may be called from several goroutines at once; Run once.
type Pinger struct {
	o       PingOptions
	id      [8]byte
	changed chan struct{}

	mu    sync.Mutex
	clock pingClock
	state PingState
	links []*link
	// rough is when answers were last staying out: for a while after that
	// there are two connections.
	rough time.Time
	tick  uint64
}

// PingState is what a Pinger has met.
type PingState struct {
	// Answers is how many questions were answered.
	Answers uint64
	// RTT is the time from the last answered question to its answer.
	RTT time.Duration
	// Err is why the last connection that was lost, refused or given up was;
	// nil where there was none since the last answer.
	Err error
}

// Times of a Pinger, in intervals.
const (
	quietAfter = 2   // answers stay out: ask over another connection too
	patience   = 6   // a connection that has never answered is given up
	longAfter  = 16  // nobody is there: look less often
	longEvery  = 4   // … namely
	roughFor   = 240 // two connections, since one wasn't enough
)

// NewPinger returns a Pinger that waits for Run.
func NewPinger(o PingOptions) *Pinger {
	if o.Interval == 0 {
		o.Interval = 250 * time.Millisecond
	}
	if o.Timeout == 0 {
		o.Timeout = 300 * time.Millisecond
	}
	p := &Pinger{o: o, changed: make(chan struct{}, 1)}
	// Reader doesn't fail; see crypto/rand.
	_, _ = rand.Read(p.id[:])
	p.clock.interval = o.Interval
	return p
}

// Run asks until ctx ends, and closes the connections.
func (p *Pinger) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	p.mu.Lock()
	p.clock.begin(time.Now())
	p.mu.Unlock()
	ticker := time.NewTicker(p.o.Interval)
	defer ticker.Stop()
	for {
		for _, l := range p.ask(time.Now()) {
			wg.Go(func() { l.run(ctx) })
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Silence is how long ago, at now, the last question that was answered was
// asked, or where none was, Run began; 0 before that. Time in which this
// process didn't run doesn't count.
func (p *Pinger) Silence(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clock.silence(now)
}

// State is what has been met so far.
func (p *Pinger) State() PingState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Changed gets a value after the first answer, the first after a silence, and
// the loss of a connection that had answered; those that nobody took in
// between are one.
func (p *Pinger) Changed() <-chan struct{} { return p.changed }

// ask sends the next question over all connections, and returns those to open.
func (p *Pinger) ask(now time.Time) (opened []*link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock.tick(now)
	p.tick++
	silent := p.clock.silence(now)
	if silent >= quietAfter*p.o.Interval {
		p.rough = now
	}
	p.giveUp(now)
	if p.wantsLink(now, silent) {
		l := &link{p: p, born: now, questions: make(chan question, 8)}
		p.links = append(p.links, l)
		opened = append(opened, l)
	}
	q := p.clock.question(now)
	for _, l := range p.links {
		l.ask(q)
	}
	return opened
}

// giveUp ends connections that have never answered, and of those that have,
// all but the last two, or the last one while the going is smooth.
func (p *Pinger) giveUp(now time.Time) {
	age := max(patience*p.o.Interval, p.o.Timeout)
	keep := 1
	if p.isRough(now) {
		keep = 2
	}
	for _, l := range p.links {
		if l.answered.IsZero() {
			if now.Sub(l.born) >= age {
				l.end()
			}
			continue
		}
		fresher := 0
		for _, other := range p.links {
			if other != l && (other.answered.After(l.answered) || other.answered.Equal(l.answered) && other.born.Before(l.born)) {
				fresher++
			}
		}
		if fresher >= keep {
			l.end()
		}
	}
}

func (p *Pinger) isRough(now time.Time) bool {
	return !p.rough.IsZero() && now.Sub(p.rough) < roughFor*p.o.Interval
}

// wantsLink says whether to open another connection.
func (p *Pinger) wantsLink(now time.Time, silent time.Duration) bool {
	switch {
	case len(p.links) == 0:
		return true
	case silent >= longAfter*p.o.Interval:
		return p.tick%longEvery == 0
	case silent >= quietAfter*p.o.Interval:
		return true
	}
	return p.isRough(now) && len(p.links) < 2
}

// heard takes the answer to a question, which came over l.
func (p *Pinger) heard(l *link, sequence uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.state.Answers == 0
	silent := p.clock.silence(now)
	asked, fresh := p.clock.answer(sequence)
	l.answered = now
	if !fresh {
		return
	}
	p.state.Answers++
	p.state.RTT, p.state.Err = p.clock.at(now).Sub(asked), nil
	if first || silent >= quietAfter*p.o.Interval {
		p.notify()
	}
}

// lost takes away a connection, which ended for the reason given.
func (p *Pinger) lost(l *link, reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.links {
		if other == l {
			p.links = append(p.links[:i], p.links[i+1:]...)
			break
		}
	}
	if l.ended && !l.answered.IsZero() {
		return // one too many
	}
	p.state.Err = reason
	if !l.answered.IsZero() {
		p.notify()
	}
}

func (p *Pinger) notify() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// payload is a question's: whose it is and which.
func (p *Pinger) payload(sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(p.id[:], sequence)
}

// sequenceOf reads a payload; ok is false where it isn't one of p's.
func (p *Pinger) sequenceOf(payload []byte) (sequence uint64, ok bool) {
	if len(payload) != 16 || [8]byte(payload[:8]) != p.id {
		return 0, false
	}
	return binary.BigEndian.Uint64(payload[8:]), true
}
