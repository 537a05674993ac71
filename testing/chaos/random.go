package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
	"golang.org/x/sys/unix"
)

// harm is one of what the random part does: it lasts for a time drawn by it.
type harm struct {
	name string
	do   func(context.Context, *stage, state) (wound, error)
}

// between draws a time.
func (s *stage) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.random.Int64N(int64(most-least)))
}

// drawn draws one of several.
func drawn[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

var harms = []harm{
	{"kill the active broker", func(ctx context.Context, s *stage, now state) (wound, error) { return kill(ctx, s, now, 0) }},
	{"hang the active broker", func(ctx context.Context, s *stage, now state) (wound, error) {
		w, err := hang(ctx, s, now, 0)
		w.lasts = s.between(500*time.Millisecond, 8*time.Second)
		return w, err
	}},
	{"kill either broker", func(_ context.Context, s *stage, now state) (wound, error) {
		return wound{heal: nothing}, s.signal(now.brokers[drawn(s.random, roles)], "mosquitto", unix.SIGKILL)
	}},
	{"kill a guard", func(_ context.Context, s *stage, now state) (wound, error) {
		return wound{heal: nothing}, s.signal(now.brokers[drawn(s.random, roles)], "mosqagent", unix.SIGKILL)
	}},
	{"kill a controller", func(_ context.Context, s *stage, now state) (wound, error) {
		return wound{heal: nothing}, s.signal(drawn(s.random, now.controllers), "mosqagent", unix.SIGKILL)
	}},
	{"delete a broker's pod", func(ctx context.Context, s *stage, now state) (wound, error) {
		return wound{heal: nothing}, s.deletePods(ctx, now.brokers[drawn(s.random, roles)])
	}},
	{"delete the leader's pod", func(ctx context.Context, s *stage, now state) (wound, error) {
		leader, err := now.leading()
		if err != nil {
			return wound{heal: nothing}, nil // there is none to delete
		}
		return wound{heal: nothing}, s.deletePods(ctx, leader)
	}},
	{"cut a node off", func(ctx context.Context, s *stage, _ state) (wound, error) {
		w, err := s.unplugged(ctx, drawn(s.random, s.Nodes), 0)
		w.lasts, w.atMost = s.between(300*time.Millisecond, 15*time.Second), 0
		return w, err
	}},
	{"lose packets of a node", func(ctx context.Context, s *stage, _ state) (wound, error) {
		node, percent := drawn(s.random, s.Nodes), 1+s.random.IntN(40)
		return wound{
			heal:  func(ctx context.Context) error { return s.Lose(ctx, node, 0) },
			lasts: s.between(time.Second, 15*time.Second),
		}, s.Lose(ctx, node, percent)
	}},
	{"kill the API server", func(ctx context.Context, s *stage, now state) (wound, error) {
		w, err := withoutAPI(ctx, s, now, 0)
		w.lasts = s.between(0, 10*time.Second)
		return w, err
	}},
	{"have the active broker hear no controller", func(ctx context.Context, s *stage, now state) (wound, error) {
		w, err := oneWay(ctx, s, now, 0)
		w.lasts, w.atMost = s.between(500*time.Millisecond, 10*time.Second), 0
		return w, err
	}},
}

// severalForget is why what was retained may be lost after several harms at once.
const severalForget = "several harms may hit both brokers, and then nobody has it"

// chance does one to three harms, some at once, heals, and checks.
func (s *stage) chance(ctx context.Context) (figures, error) {
	if err := s.relieve(ctx); err != nil {
		return figures{}, err
	}
	now, err := s.ready(ctx)
	if err != nil {
		return figures{fault: err.Error()}, nil
	}
	began := s.begin()
	if err := s.arrange(ctx, now); err != nil {
		return figures{fault: err.Error()}, nil
	}
	counter := s.count(ctx, now.active)
	at := load.Now()
	var names []string
	var wounds []wound
	for range 1 + s.random.IntN(3) {
		h := drawn(s.random, harms)
		if slices.Contains(names, h.name) {
			continue
		}
		w, err := h.do(ctx, s, now)
		if err != nil {
			s.say("  can't %s: %v", h.name, err) // an earlier harm was quicker
			err = w.heal(ctx)
		} else {
			names = append(names, h.name)
			w.ends = time.Now().Add(w.lasts)
			wounds = append(wounds, w)
		}
		if err != nil && len(wounds) == 0 {
			continue
		}
		sleep(ctx, s.between(0, 3*time.Second))
	}
	s.say("  %s", strings.Join(names, ", and "))
	slices.SortFunc(wounds, func(a, b wound) int { return a.ends.Compare(b.ends) })
	var errs []error
	for _, w := range wounds {
		sleep(ctx, time.Until(w.ends))
		errs = append(errs, w.heal(context.WithoutCancel(ctx)))
	}
	if err := errors.Join(errs...); err != nil {
		counter.stop()
		return figures{}, fmt.Errorf("healing: %w", err)
	}
	broken := ""
	if !s.served(ctx, servedLimit) {
		broken = "clients aren't served again"
	}
	if err := s.relieve(ctx); err != nil {
		counter.stop()
		return figures{}, err
	}
	f := fault{name: strings.Join(names, ", "), switches: 1 << 20}
	if len(names) > 1 {
		f.forgets = severalForget
	}
	got := s.conclude(ctx, f, began, at, counter, broken)
	return got, ctx.Err()
}

// relieve replaces pods that were killed so often that Kubernetes lets them wait
// for minutes, as a person would who knows why.
func (s *stage) relieve(ctx context.Context) error {
	now, err := s.state(ctx)
	if err != nil {
		return nil // the API server is on its way back
	}
	for _, p := range slices.AppendSeq(slices.Clone(now.controllers), maps.Values(now.brokers)) {
		if !p.backingOff {
			continue
		}
		s.say("  %s waits to be started again: it is replaced", p.name)
		if err := s.deletePods(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// chances goes on for a time and returns the one row.
func (p *program) chances(ctx context.Context, s *stage) (row, error) {
	lasts := p.duration
	if left := time.Until(p.up.Add(shortRandom)).Truncate(time.Second); p.limit == shortLimit && left < lasts {
		lasts = max(0, left)
		p.skipped = append(p.skipped, "random faults")
	}
	r := row{fault: fault{name: fmt.Sprintf("random faults for %s, one to three at once", lasts), forgets: severalForget}}
	broken := false // the pair, after the run before
	longest := time.Duration(0)
	for end := time.Now().Add(lasts); time.Until(end) > longest/2; {
		began := time.Now()
		f, err := s.chance(ctx)
		if err != nil {
			return r, err
		}
		longest = max(longest, time.Since(began))
		p.took(ctx, s, &r, f)
		if f.fault != "" && broken {
			break // what comes after says nothing
		}
		broken = f.fault != ""
	}
	return r, nil
}
