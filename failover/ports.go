package failover

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/probe"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// ErrConflict says that the clients' Service isn't what it was when it was
// last read, so that nothing was written.
var ErrConflict = errors.New("somebody else has written the record")

// Service is what of the clients' Service matters here.
type Service struct {
	// Text is the record as the annotation has it, "" where there is none:
	// what a write is compared against.
	Text string
	// Selector is the role that the selector names, "" if none, and Targets are
	// the pod's ports, by the names of the Service's.
	Selector string
	Targets  map[string]int
	// Request and Paused are the annotations that people write.
	Request, Paused string
}

// written is the Service once next has been.
func (s Service) written(next record.Record, lead bool, a config.Agent) Service {
	s.Text = next.String()
	if !lead {
		return s
	}
	s.Selector, s.Targets = next.Active, maps.Clone(s.Targets)
	for name, port := range a.Targets(next.Slot) {
		if _, ok := s.Targets[name]; ok {
			s.Targets[name] = port
		}
	}
	return s
}

// Store is the clients' Service at the API server. Its methods may be called
// from several goroutines.
type Store interface {
	// Read returns the Service as a majority of etcd has it.
	Read(ctx context.Context) (Service, error)
	// Write puts the record next in the place of the text old and, with lead, has
	// the Service lead to next's active broker, in one step. It returns
	// ErrConflict where the text isn't old any more. After another error
	// nobody knows whether it was written.
	Write(ctx context.Context, old string, next record.Record, lead bool) error
	// Event tells people what happened to the Service.
	Event(ctx context.Context, e Event) error
}

// Event is what people see in the events of the Service.
type Event struct {
	// Warning tells what is wrong from what is normal.
	Warning bool
	// Reason is in CamelCase, as all reasons of events are.
	Reason, Message string
}

// Elector elects one of the controllers.
type Elector interface {
	// Elect campaigns until ctx is done, and gives up what it holds then. While
	// this controller is elected, lead runs; nobody else is before it has
	// returned, unless the clocks of both are off. leader is told who is
	// elected, "" for nobody, at each change, and returns at once.
	Elect(ctx context.Context, lead func(context.Context), leader func(holder string)) error
}

// Guard is the guard of one broker.
type Guard interface {
	// Status returns the guard's status once its revision isn't after, and
	// what it is then when wait is over.
	Status(ctx context.Context, after int64, wait time.Duration) (record.Status, error)
	// Push has the guard obey r, and returns its status after that.
	Push(ctx context.Context, r record.Record) (record.Status, error)
}

// Prober asks one broker over MQTT, again and again.
type Prober interface {
	// Run asks until ctx is done.
	Run(ctx context.Context)
	// Silence is how long ago, at now, the last question was asked that the
	// broker has answered, or else how long Run has run.
	Silence(now time.Time) time.Duration
	// State is what has been met.
	State() probe.PingState
	// Changed gets a value after the first answer, when a silence ends, and when
	// a connection is lost.
	Changed() <-chan struct{}
}

var _ Prober = (*probe.Pinger)(nil)

// Sender brings this controller's vote to all of them.
type Sender interface {
	Send(ctx context.Context, v record.Vote) error
}
