package election

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/klog/v2"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/kube"
)

// Election is one in which a process stands until its context ends.
type Election struct {
	// Lease is the name of the Lease, which must be there.
	Lease string
	// Identity tells this process from the others.
	Identity string
	// Duration is how long others wait for a silent leader, in whole seconds.
	Duration time.Duration
	// Renew is how long a leader leads on after it has last sent a renewal that
	// came through, less than Duration.
	Renew time.Duration
	// Retry is the time between tries, of which up to 2.2 times goes by; that
	// must be less than Renew.
	Retry time.Duration
	// OnLead leads, and returns when its context ends, soon: the Lease is given
	// to others only after that.
	OnLead func(ctx context.Context)
	// OnLeader, if not nil, is told the holder of the Lease, "" none, first and
	// at each change. It must return at once. That a holder has fallen silent
	// isn't told.
	OnLeader func(identity string)
	// OnRefused, if not nil, is told the first of the refusals in a row.
	OnRefused func(error)
	// Patience is for how long a candidate puts up with refusals: an API server
	// that has just started forbids all until it has read who may do what.
	// Default: a minute.
	Patience time.Duration
}

// Run stands for election, again after each loss, until ctx ends: then it
// gives up the Lease, if it has it, and returns nil. Where the Lease isn't
// there or the rights to get and update it are missing for longer than e.Patience,
// it returns an error of the code fault.Unreachable that wraps kube.ErrNotFound or
// kube.ErrForbidden; any other trouble it sits out.
//
// That two processes lead at once for a moment can't be excluded: what leaders
// do must be safe without it.
func Run(ctx context.Context, c *kube.Client, e Election) error {
	e.Patience = cmp.Or(e.Patience, time.Minute)
	for ctx.Err() == nil {
		if err := term(ctx, c, e); err != nil {
			return err
		}
	}
	return nil
}

// term stands once: until ctx ends, or the Lease was gained and lost.
func term(ctx context.Context, c *kube.Client, e Election) error {
	ctx, stop := context.WithCancel(klog.NewContext(ctx, logr.Discard()))
	defer stop()
	l := &lock{client: c, e: e, stop: stop, returned: make(chan struct{})}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: l, LeaseDuration: e.Duration, RenewDeadline: e.Renew, RetryPeriod: e.Retry,
		ReleaseOnCancel: true, Name: e.Lease,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				defer close(l.returned)
				e.OnLead(ctx)
			},
			OnStoppedLeading: func() {}, // called by those too that never led
		},
	})
	if err != nil {
		return fmt.Errorf("standing for election by the Lease %q: %w", e.Lease, err)
	}
	elector.Run(ctx)
	if l.led {
		l.deadline.Stop()
		<-l.returned
	}
	missing := "Role"
	if errors.Is(l.err, kube.ErrNotFound) {
		missing = "Lease"
	}
	return fault.With(fault.Unreachable, fault.Hint(l.err, "apply the rendered manifests again: they have the %s", missing))
}
