package election

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	coordination "k8s.io/api/coordination/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/mosqbuild/mosqbuild/internal/kube"
)

// lock is a Lease as client-go's election wants it. One goroutine at a time
// uses it.
type lock struct {
	client *kube.Client
	e      Election
	stop   func()
	last   *coordination.Lease
	// told is what OnLeader was last told; nil nothing.
	told *string
	// led says that the Lease was gained, and so that OnLead was or will be
	// called; returned is closed when that returns.
	led      bool
	returned chan struct{}
	// deadline ends the leading. client-go's own comes later, and first tries
	// to release the Lease, of which an API server that is silent makes a wait.
	deadline *time.Timer
	// refused is since when all calls were refused, zero if the last wasn't.
	refused time.Time
	// err is why there is no sense in going on.
	err error
}

var _ resourcelock.Interface = (*lock)(nil)

// Get reads the Lease.
func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if err := l.note(l.read(ctx)); err != nil {
		return nil, nil, err
	}
	r := resourcelock.LeaseSpecToLeaderElectionRecord(&l.last.Spec)
	l.tell(r.HolderIdentity)
	if l.led && r.HolderIdentity != l.e.Identity {
		l.stop()
	}
	raw, err := json.Marshal(r)
	return r, raw, err
}

// Create refuses: the Lease comes with the manifests, so that nobody needs the
// right to create any.
func (l *lock) Create(context.Context, resourcelock.LeaderElectionRecord) error {
	return l.note(fmt.Errorf("standing for election by the Lease %q: %w", l.e.Lease, kube.ErrNotFound))
}

// Update writes the Lease as last read. An empty holder gives it up.
func (l *lock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	if l.last == nil {
		return errors.New("the Lease hasn't been read")
	}
	if r.HolderIdentity == "" {
		return l.release(ctx, r)
	}
	return l.note(l.write(ctx, r))
}

// release gives up the Lease. The election asks for it even if another one has
// the Lease by now, and while OnLead may still be at work. A renewal that was
// given up may be written as late as that: then the Lease is read again.
func (l *lock) release(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	select {
	case <-l.returned:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		if h := l.last.Spec.HolderIdentity; h == nil || *h != l.e.Identity {
			return kube.ErrConflict
		}
		err := l.write(ctx, r)
		if !errors.Is(err, kube.ErrConflict) {
			return err
		}
		if err := l.read(ctx); err != nil {
			return err
		}
	}
}

// within bounds a call. client-go doesn't bound a candidate's, which an API server
// that has died would keep waiting for as long as TCP does; and of a leader's time
// to renew there is some left for a second try, over a new connection.
func (l *lock) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.e.Renew/2)
}

// read reads the Lease.
func (l *lock) read(ctx context.Context) error {
	ctx, cancel := l.within(ctx)
	defer cancel()
	lease, err := l.client.Lease(ctx, l.e.Lease)
	if err == nil {
		l.last = lease
	}
	return err
}

// write writes the Lease as last read, with r in it.
func (l *lock) write(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	ctx, cancel := l.within(ctx)
	defer cancel()
	lease := l.last.DeepCopy()
	lease.Spec = resourcelock.LeaderElectionRecordToLeaseSpec(&r)
	sent := time.Now()
	written, err := l.client.UpdateLease(ctx, lease)
	if err != nil {
		return err
	}
	l.last = written
	l.tell(r.HolderIdentity)
	if r.HolderIdentity != "" {
		l.extend(sent)
	}
	return nil
}

// extend lets the leader lead on until the time to renew is over. Others count
// from when they see the Lease, which isn't before it was sent.
func (l *lock) extend(sent time.Time) {
	l.led = true
	left := time.Until(sent.Add(l.e.Renew))
	if l.deadline == nil {
		l.deadline = time.AfterFunc(left, l.stop)
		return
	}
	l.deadline.Reset(left)
}

// note ends an election that can't be won. A leader isn't stopped by it: it has
// until its deadline.
func (l *lock) note(err error) error {
	switch {
	case l.led, !errors.Is(err, kube.ErrNotFound) && !errors.Is(err, kube.ErrForbidden):
		l.refused = time.Time{}
	case l.refused.IsZero():
		l.refused = time.Now()
		if l.e.OnRefused != nil {
			l.e.OnRefused(err)
		}
	case time.Since(l.refused) >= l.e.Patience && l.err == nil:
		l.err = err
		l.stop()
	}
	return err
}

func (l *lock) tell(holder string) {
	if l.told != nil && *l.told == holder {
		return
	}
	l.told = &holder
	if l.e.OnLeader != nil {
		l.e.OnLeader(holder)
	}
}

// RecordEvent does nothing.
func (l *lock) RecordEvent(string) {}

// Identity is this process's.
func (l *lock) Identity() string { return l.e.Identity }

// Describe names the Lease.
func (l *lock) Describe() string { return l.client.Namespace() + "/" + l.e.Lease }
