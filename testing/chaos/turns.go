package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// turn is one run of a row's fault; both count from 0.
type turn struct{ row, run int }

// turns is the order of all runs, of so many a row: row by row, with those of the
// rows that are spread as far from each other as may be.
func turns(counts []int, spread []bool) []turn {
	var all, apart []turn
	for row, n := range counts {
		for run := range n {
			if t := (turn{row, run}); spread[row] {
				apart = append(apart, t)
			} else {
				all = append(all, t)
			}
		}
	}
	n := len(all)
	for i, t := range slices.Backward(apart) {
		all = slices.Insert(all, (2*i+1)*n/(2*len(apart)), t)
	}
	return all
}

// rounds has the runs of all faults that are asked for.
func (p *program) rounds(ctx context.Context, s *stage) error {
	var counts []int
	var spread []bool
	for _, f := range faults {
		if n := p.count(f); n > 0 && p.wants(f.name) {
			p.rows = append(p.rows, row{fault: p.lasting(f)})
			counts, spread = append(counts, n), append(spread, f.spread)
		}
	}
	for _, t := range turns(counts, spread) {
		r := &p.rows[t.row]
		if p.short() && p.only == "" && time.Since(p.up) > shortFaults {
			if !slices.Contains(p.skipped, r.name) {
				p.skipped = append(p.skipped, r.name)
			}
			continue
		}
		p.say("%s, run %d", r.name, t.run+1)
		got, err := s.run(ctx, r.fault, t.run)
		if err != nil {
			return err
		}
		p.took(ctx, s, r, got)
	}
	return nil
}

// lasting is a fault with how long it lasts in its name, where that is fixed.
func (p *program) lasting(f fault) fault {
	if p.short() {
		f.lasts = min(f.lasts, shortLasting)
	}
	if f.lasts > 0 {
		f.name += fmt.Sprintf(" for %d s", int(f.lasts.Seconds()))
	}
	return f
}
