package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// row is what the runs of one fault came to.
type row struct {
	fault
	runs []figures
}

// outages are those of all runs, sorted.
func (r row) outages(qos int) []time.Duration {
	var all []time.Duration
	for _, f := range r.runs {
		all = append(all, f.outage[qos])
	}
	slices.Sort(all)
	return all
}

// quantile is the nearest rank of sorted values.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

// worst are the longer outages of both QoS, sorted.
func (r row) worst() []time.Duration {
	var all []time.Duration
	for _, f := range r.runs {
		all = append(all, f.worst())
	}
	slices.Sort(all)
	return all
}

// sum adds up one number of all runs.
func (r row) sum(of func(figures) int) (n int) {
	for _, f := range r.runs {
		n += of(f)
	}
	return n
}

// wrong says what must never be, and what kept runs from being one.
func (r row) wrong() []string {
	var all []string
	for i, f := range r.runs {
		for _, text := range f.unsafe() {
			all = append(all, fmt.Sprintf("%s, run %d: %s", r.name, i+1, text))
		}
		if f.fault != "" {
			all = append(all, fmt.Sprintf("%s, run %d: %s", r.name, i+1, f.fault))
		}
	}
	if n := r.sum(func(f figures) int { return f.needless }); n > r.spare {
		all = append(all, fmt.Sprintf("%s: %d needless switches", r.name, n))
	}
	if n := r.sum(func(f figures) int { return f.missing }); n > 0 {
		all = append(all, fmt.Sprintf("%s: %d switches that had to be weren't", r.name, n))
	}
	if n := r.sum(figures.lostHere); r.lossless && n > 0 {
		all = append(all, fmt.Sprintf("%s: %d acknowledged messages lost while the subscriber was there", r.name, n))
	}
	return all
}

// missed says which targets aren't reached. slack stretches them.
func (r row) missed(slack float64) []string {
	worst := r.worst()
	if r.most == 0 || len(worst) == 0 {
		return nil
	}
	var all []string
	over := func(name string, got, target time.Duration) {
		if got > time.Duration(slack*float64(target)) {
			all = append(all, fmt.Sprintf("%s: %s outage of %s s, above %s s", r.name, name, seconds(got), seconds(target)))
		}
	}
	over("median", quantile(worst, 50), r.median)
	over("longest", worst[len(worst)-1], r.most)
	return all
}

// verdict is the whole's: a line for each fault.
func verdict(rows []row, slack float64) (wrong, missed []string) {
	for _, r := range rows {
		wrong = append(wrong, r.wrong()...)
		missed = append(missed, r.missed(slack)...)
	}
	return wrong, missed
}

// printRows writes the table.
func printRows(w io.Writer, rows []row) {
	fmt.Fprintln(w, "| fault | runs | outage, QoS 0, s | outage, QoS 1, s | to reach | acknowledged | lost (subscriber away) | twice | retained stale / wrong (gone, as may be) | two writers | left at the standby | switches (needless, missing) |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		if len(r.runs) == 0 {
			continue
		}
		target := "–"
		switch {
		case r.most > 0:
			target = seconds(r.median) + " / " + seconds(r.most)
		case r.lossless:
			target = "0 lost but with the subscriber away"
		}
		count := func(of func(figures) int) string { return fmt.Sprint(r.sum(of)) }
		cells := []string{
			r.name, fmt.Sprint(len(r.runs)), spread(r.outages(0)), spread(r.outages(1)), target,
			count(func(f figures) int { return f.acked }),
			count(func(f figures) int { return f.lost }) + " (" + count(func(f figures) int { return f.away }) + ")",
			count(func(f figures) int { return f.twice }),
			count(func(f figures) int { return f.stale }) + " / " + count(func(f figures) int { return len(f.retained) }) + " (" + count(func(f figures) int { return f.gone }) + ")",
			count(func(f figures) int { return len(f.both) }),
			count(strayed),
			count(func(f figures) int { return f.switches }) + " (" + count(func(f figures) int { return f.needless }) + ", " + count(func(f figures) int { return f.missing }) + ")",
		}
		fmt.Fprintln(w, "| "+strings.Join(cells, " | ")+" |")
	}
	for _, r := range rows {
		if len(r.runs) > 0 && r.forgets != "" {
			fmt.Fprintf(w, "\nRetained messages may be gone after %q: %s.\n", r.name, r.forgets)
		}
	}
}

// strayed counts a run after which clients were served by the standby.
func strayed(f figures) int { return min(1, len(f.strays)) }

// spread is median / 95th percentile / longest.
func spread(sorted []time.Duration) string {
	return seconds(quantile(sorted, 50)) + " / " + seconds(quantile(sorted, 95)) + " / " + seconds(quantile(sorted, 100))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }
