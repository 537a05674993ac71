package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// sample is what one run took.
type sample struct {
	wall time.Duration
	cpu  time.Duration // user and system, of all its processes
	peak int64         // memory of the largest of them, in bytes; 0 is not known
}

// contender runs a job once, prepared anew; only the job itself is timed.
type contender func(context.Context) (sample, error)

// duel warms each up once, lets them take turns, and returns the medians.
func (w *workspace) duel(ctx context.Context, pairs int, ours, peer contender) (a, b sample, err error) {
	var all [2][]sample
	for n := range pairs + 1 {
		for i, run := range []contender{ours, peer} {
			s, err := run(ctx)
			if err != nil {
				return a, b, err
			}
			if n > 0 {
				all[i] = append(all[i], s)
			}
		}
	}
	return medians(all[0]), medians(all[1]), nil
}

// race is a duel whose ratio is that of wall times.
func (w *workspace) race(ctx context.Context, pairs int, ours, peer contender) (result, error) {
	a, b, err := w.duel(ctx, pairs, ours, peer)
	if err != nil {
		return result{}, err
	}
	r := ratio(a.wall.Seconds(), b.wall.Seconds())
	return result{ours: a.String(), peer: b.String(), ratio: r, reached: r}, nil
}

// String returns wall and CPU time in milliseconds, and peak memory.
func (s sample) String() string {
	switch {
	case s.cpu == 0:
		return milliseconds(s.wall)
	case s.peak == 0:
		return fmt.Sprintf("%s (CPU %s)", milliseconds(s.wall), milliseconds(s.cpu))
	}
	return fmt.Sprintf("%s (CPU %s, %.0f MB)", milliseconds(s.wall), milliseconds(s.cpu), float64(s.peak)/1e6)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// medians returns the median of each figure; of an even number the upper one.
func medians(all []sample) sample {
	return sample{
		wall: median(all, func(s sample) time.Duration { return s.wall }),
		cpu:  median(all, func(s sample) time.Duration { return s.cpu }),
		peak: median(all, func(s sample) int64 { return s.peak }),
	}
}

func median[T any, F cmp.Ordered](all []T, of func(T) F) F {
	figures := make([]F, len(all))
	for i, x := range all {
		figures[i] = of(x)
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}
