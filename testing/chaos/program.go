package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/testing/cluster"
	"github.com/mosqbuild/mosqbuild/testing/cluster/kubeapi"
)

// pairsOfClients is how many publishers and subscribers there are of each QoS.
const pairsOfClients = 2

// shortFaults is how long after the cluster's being up the profile short begins no
// further fault, and shortRandom no further random ones: what goes on by then, and
// the cluster's end, usually fit into its limit. After a fault of the API server
// nodes may hear of a switch over a minute late, which shortLate allows for.
const (
	shortFaults = 3*time.Minute + 40*time.Second
	shortRandom = shortLimit - 30*time.Second
	shortLate   = 3 * time.Minute
)

// shortLasting is how long a fault goes on there that shows no end, and longCut, in
// either profile, how long a cable is out that is out for long.
const (
	shortLasting = 10 * time.Second
	longCut      = 10 * time.Second
)

// shortSlack is by how much the profile short stretches targets: it has one or two
// runs of each fault, on a machine that does other things, too.
const shortSlack = 5

// program is one run of the whole.
type program struct {
	options
	say     cluster.Progress
	began   time.Time
	up      time.Time // when the cluster was there
	rows    []row     // of the pair under guard
	loop    []row     // of the loop
	skipped []string
	kept    int // runs of which logs are kept
}

// measure brings up the cluster and goes through the table.
func (p *program) measure(ctx context.Context) (err error) {
	if !p.wantsGuarded() && !p.wants("loop") {
		names := []string{"random", "loop"}
		for _, f := range faults {
			names = append(names, f.name)
		}
		return fmt.Errorf("choosing faults: none has %q in its name; there are %s", p.only, strings.Join(names, "; "))
	}
	p.say("seed %d", p.seed)
	dir, err := os.MkdirTemp("", "mosqbuild-chaos")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, w, err := p.stage(ctx, dir)
	if s != nil {
		defer func() {
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			err = errors.Join(err, s.Down(undo))
		}()
	}
	if err != nil {
		return err
	}
	if p.wantsGuarded() {
		if err := p.guarded(ctx, s, w); err != nil {
			return err
		}
	}
	if p.wants("loop") && (!p.short() || p.only != "") {
		return p.looped(ctx, s)
	}
	return nil
}

// stage brings up the cluster, with the images.
func (p *program) stage(ctx context.Context, dir string) (*stage, *workshop, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, nil, err
	}
	binaries, err := cluster.Binaries(ctx, filepath.Join(cache, "mosqbuild"), p.say)
	if err != nil {
		return nil, nil, err
	}
	w, err := newWorkshop(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	c, err := cluster.Up(ctx, cluster.Options{Nodes: 3, Binaries: binaries, Logs: p.logs, Progress: p.say})
	if err != nil {
		return nil, nil, err
	}
	p.up = time.Now()
	s := &stage{Cluster: c, pairs: pairsOfClients, random: rand.New(rand.NewPCG(p.seed, p.seed)), say: p.say, away: longCut}
	if err := c.Client(ctx, clientPlace); err != nil {
		return s, nil, err
	}
	if err := c.Namespace(ctx, namespace, 0); err != nil {
		return s, nil, err
	}
	return s, w, w.images(ctx, c, p.wantsGuarded())
}

// wants says whether a part of the table is asked for.
func (p *program) wants(name string) bool {
	return p.only == "" || strings.Contains(strings.ToLower(name), strings.ToLower(p.only))
}

// wantsGuarded says whether any part of the table is that needs the guards.
func (p *program) wantsGuarded() bool {
	return p.wants("random") || slices.ContainsFunc(faults, func(f fault) bool { return p.wants(f.name) })
}

// guarded goes through the faults with what mosqbuild renders.
func (p *program) guarded(ctx context.Context, s *stage, w *workshop) error {
	a, err := kubeapi.New(s.Kubeconfig(), 3*time.Second)
	if err != nil {
		return err
	}
	g, err := w.deploy(ctx, s.Cluster, a)
	if err != nil {
		return err
	}
	s.system, s.workshop = g, w
	now, err := s.settled(ctx, readyLimit)
	if err != nil {
		return err
	}
	p.say("the pair is ready: %s", now.record)
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := p.rounds(ctx, s); err != nil {
		return err
	}
	if !p.wants("random") || p.duration == 0 {
		return nil
	}
	p.say("random faults, seed %d", p.seed)
	r, err := p.chances(ctx, s)
	p.rows = append(p.rows, r)
	return err
}

// count is how many runs of a fault there are.
func (p *program) count(f fault) int {
	switch {
	case p.runs > 0:
		return p.runs
	case p.short():
		return f.short
	}
	return f.full
}

// longOutage is how long clients may be without a broker before a run's logs are
// kept: no fault of the table that has an end sooner costs so much.
const longOutage = 10 * time.Second

// took adds a run to its row, and keeps the logs of one that wasn't as it should be
// or took long.
func (p *program) took(ctx context.Context, s *stage, r *row, got figures) {
	s.report(got)
	r.runs = append(r.runs, got)
	if got.fault != "" || len(got.unsafe()) > 0 || got.missing > 0 || r.lossless && got.lostHere() > 0 || got.worst() > longOutage {
		p.explain(ctx, s, fmt.Sprintf("%s, run %d at %s: %d switches, outage %s and %s s, %s %q", r.name, len(r.runs), time.Now().UTC().Format(time.TimeOnly), got.switches, seconds(got.outage[0]), seconds(got.outage[1]), got.fault, got.unsafe()))
	}
}

// report says what a run came to.
func (s *stage) report(f figures) {
	s.say("  outage %s s at QoS 0, %s s at QoS 1; of %d acknowledged %d lost (%d away), %d twice; %d switches", seconds(f.outage[0]), seconds(f.outage[1]), f.acked, f.lost, f.away, f.twice, f.switches)
	for _, text := range append(f.unsafe(), f.fault) {
		if text != "" {
			s.say("  WRONG: %s", text)
		}
	}
}

// print writes both tables.
func (p *program) print(w io.Writer) {
	p.printGuarded(w)
	fmt.Fprintln(w)
	p.printLoop(w)
}

// printLoop writes the loop's table, if it was measured.
func (p *program) printLoop(w io.Writer) {
	if len(p.loop) > 0 {
		printDuel(w, p.rows, p.loop)
		fmt.Fprintln(w)
	}
}

// printGuarded writes the table of the pair under guard.
func (p *program) printGuarded(w io.Writer) {
	if len(p.rows) > 0 {
		fmt.Fprintf(w, "Outages as clients saw them: median / 95th percentile / longest of all runs, each that of the client that fared worst. Seed %d.\n\n", p.seed)
		printRows(w, p.rows)
	}
	if len(p.skipped) > 0 {
		fmt.Fprintf(w, "\nNot all runs for lack of time: %s.\n", strings.Join(p.skipped, "; "))
	}
}

// verdict is the last line, and whether it is good.
func (p *program) verdict(err error) (string, bool) {
	slack := 1.0
	if p.short() {
		slack = shortSlack
	}
	wrong, missed := verdict(p.rows, slack)
	all := append(wrong, missed...)
	if err != nil {
		all = append(all, err.Error())
	}
	limit := p.limit
	if limit == shortLimit {
		limit += shortLate
	}
	if took := time.Since(p.up); limit > 0 && !p.up.IsZero() && took > limit {
		all = append(all, fmt.Sprintf("it took %s from the cluster's being up, above %s", took.Round(time.Second), limit))
	}
	runs := 0
	for _, r := range p.rows {
		runs += len(r.runs)
	}
	if runs == 0 && len(all) == 0 {
		all = append(all, "nothing was measured")
	}
	took := time.Since(p.began).Round(time.Second)
	if len(all) > 0 {
		return fmt.Sprintf("chaos: FAIL, %d runs in %s, seed %d: %s", runs, took, p.seed, strings.ReplaceAll(strings.Join(all, "; "), "\n", " ")), false
	}
	text := fmt.Sprintf("chaos: PASS, %d runs in %s, seed %d", runs, took, p.seed)
	if len(p.skipped) > 0 {
		text += "; not in full for lack of time: " + strings.Join(p.skipped, ", ")
	}
	return text, true
}

// The tables that a document has room for, between <!-- NAME:begin --> and
// <!-- NAME:end -->.
const (
	guardedTable = "chaos"
	loopTable    = "seed"
)

// write puts the tables that were measured into a file.
func (p *program) write(file string) error {
	var guarded, loop strings.Builder
	p.printGuarded(&guarded)
	p.printLoop(&loop)
	for name, text := range map[string]string{guardedTable: guarded.String(), loopTable: loop.String()} {
		if text == "" {
			continue
		}
		if err := insert(file, name, text); err != nil {
			return err
		}
	}
	return nil
}

// insert replaces what stands between the markers of a table in a file.
func insert(file, table, text string) error {
	beginMarker, endMarker := "<!-- "+table+":begin -->", "<!-- "+table+":end -->"
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	before, rest, ok := bytes.Cut(data, []byte(beginMarker))
	_, after, ended := bytes.Cut(rest, []byte(endMarker))
	if !ok || !ended {
		return fmt.Errorf("writing the table into %q: it lacks the markers %s and %s", file, beginMarker, endMarker)
	}
	out := string(before) + beginMarker + "\n\n" + strings.TrimSpace(text) + "\n\n" + endMarker + string(after)
	return atomicfile.Write(file, []byte(out), 0o644)
}
