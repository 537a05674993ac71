package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
)

// The waits of a run.
const (
	readyLimit  = 2 * time.Minute
	servedLimit = 2 * time.Minute
	agreeLimit  = 10 * time.Second
	baseline    = time.Second
	after       = 500 * time.Millisecond
)

// run inflicts a fault once, and says what it came to. Errors are of the rig;
// what the pair does wrong is in the figures.
func (s *stage) run(ctx context.Context, f fault, n int) (figures, error) {
	now, err := s.ready(ctx)
	if err != nil {
		return figures{fault: err.Error()}, nil
	}
	if f.prepare != nil {
		if err := f.prepare(ctx, s, now); err != nil {
			return figures{}, fmt.Errorf("preparing %q: %w", f.name, err)
		}
		if now, err = s.settled(ctx, readyLimit); err != nil {
			return figures{fault: err.Error()}, nil
		}
	}
	if strays := s.log.strays(now.at().ip); len(strays) > 0 {
		// The fault would be nothing to them.
		if err := s.restart(ctx); err != nil {
			return figures{}, err
		}
	}
	began := s.begin()
	if !s.served(ctx, 10*time.Second) {
		return figures{fault: "before the fault, clients aren't served"}, nil
	}
	if err := s.arrange(ctx, now); err != nil {
		return figures{fault: err.Error()}, nil
	}
	counter := s.count(ctx, now.active)
	at := load.Now()
	w, err := f.inflict(ctx, s, now, n)
	if err != nil {
		counter.stop()
		return figures{}, errors.Join(fmt.Errorf("inflicting %q: %w", f.name, err), w.heal(ctx))
	}
	if f.lasts > 0 {
		w.lasts = f.lasts
	}
	broken, err := s.recover(ctx, w)
	if err != nil {
		counter.stop()
		return figures{}, fmt.Errorf("healing %q: %w", f.name, err)
	}
	return s.conclude(ctx, f, began, at, counter, broken), ctx.Err()
}

// arrange has all in place before a fault: what was retained has reached the
// standby by its end.
func (s *stage) arrange(ctx context.Context, now state) error {
	if err := s.inscribe(ctx); err != nil {
		return err
	}
	if err := s.pin(ctx, now); err != nil {
		return err
	}
	sleep(ctx, baseline)
	return nil
}

// begin returns the present time, as a run's begin. What was done until then goes
// into the ledger: changes go on between runs.
func (s *stage) begin() time.Duration {
	began := load.Now()
	s.ledger.note(s.log.since(0))
	s.log.forget(began - 2*time.Second)
	return began
}

// recover waits for clients to be served, and heals; broken says that one of
// them never was.
func (s *stage) recover(ctx context.Context, w wound) (broken string, err error) {
	sleep(ctx, w.lasts)
	if w.atMost > w.lasts {
		s.served(ctx, w.atMost-w.lasts)
	}
	if err := w.heal(context.WithoutCancel(ctx)); err != nil {
		return "", err
	}
	if !s.served(ctx, servedLimit) {
		return fmt.Sprintf("clients aren't served %s after the fault is mended", servedLimit), ctx.Err()
	}
	return "", ctx.Err()
}

// conclude waits for the pair to be ready again, and measures.
func (s *stage) conclude(ctx context.Context, f fault, began, at time.Duration, counter *counter, broken string) figures {
	_, err := s.ready(ctx)
	if err != nil {
		broken = cmp.Or(broken, err.Error())
	}
	sleep(ctx, after)
	all, snapErr := s.snapshots(ctx, agreeLimit)
	switches := counter.stop()
	events := s.log.since(began)
	got := measure(events, s.pairs, at, load.Now())
	// Whoever serves by now: a fault may have had the pair switch twice.
	if now, late := s.ready(ctx); late != nil {
		broken = cmp.Or(broken, late.Error())
	} else {
		got.strays = s.log.strays(now.at().ip)
	}
	got.fault, got.switches, got.needless = broken, switches, max(0, switches-f.switches)
	got.missing = max(0, f.least-switches)
	s.ledger.note(events)
	if snapErr != nil {
		if got.fault == "" {
			got.fault = snapErr.Error()
		}
		return got
	}
	s.judge(&got, all, at, f.forgets != "")
	return got
}

// judge fills in what concerns retained messages.
func (s *stage) judge(got *figures, all map[string]map[string]string, at time.Duration, forgets bool) {
	one, other := all[roles[0]], all[roles[1]]
	if diff := differences(one, other); len(diff) > 0 {
		got.retained = append(got.retained, fmt.Sprintf("retained: the brokers, with %d and %d topics, differ in %d, such as %s: %q, %q", len(one), len(other), len(diff), diff[0], one[diff[0]], other[diff[0]]))
	}
	for _, role := range roles {
		wrong, stale, gone := s.ledger.judge(all[role], at, forgets)
		got.retained = append(got.retained, wrong...)
		got.stale, got.gone = max(got.stale, stale), max(got.gone, gone)
	}
	s.ledger.settle(one)
}

// counter counts switches.
type counter struct {
	n      atomic.Int64
	cancel context.CancelFunc
	done   chan struct{}
}

// count counts from now on, when active is.
func (s *stage) count(ctx context.Context, active string) *counter {
	ctx, cancel := context.WithCancel(ctx)
	c := &counter{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for sleep(ctx, 250*time.Millisecond) {
			if now, err := s.active(ctx); err == nil && now != "" && now != active {
				active = now
				c.n.Add(1)
			}
		}
	}()
	return c
}

func (c *counter) stop() int {
	c.cancel()
	<-c.done
	return int(c.n.Load())
}
