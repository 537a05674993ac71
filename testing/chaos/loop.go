package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	_ "embed"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
	"github.com/mosqbuild/mosqbuild/testing/cluster"
	"github.com/mosqbuild/mosqbuild/testing/cluster/kubeapi"
)

// loopObjects are two plain brokers, bridged, and their Services.
//
//go:embed loop.yaml
var loopObjects string

// loopScript is what people write to switch between them.
//
//go:embed loop.sh
var loopScript string

// loopRuns is how many runs of each fault the loop gets, and loopFaults how
// many of the table's first rows.
const (
	loopRuns   = 5
	loopFaults = 4
)

// loopCap is how long a fault that the loop doesn't see goes on.
const loopCap = 2 * time.Minute

// looped is a pair that the loop looks after.
type looped struct {
	api    *kubeapi.Client
	logins map[string]load.Login
}

var _ system = (*looped)(nil)

func (l *looped) login(role string) load.Login { return l.logins[role] }

func (l *looped) active(ctx context.Context) (string, error) {
	var service corev1.Service
	err := l.api.Get(ctx, in("services", "loop"), &service)
	return service.Spec.Selector["role"], err
}

func (l *looped) state(ctx context.Context) (state, error) {
	var s state
	var err error
	if s.active, err = l.active(ctx); err != nil {
		return s, err
	}
	if s.brokers, err = brokers(ctx, l.api, "app=loop"); err != nil {
		return s, err
	}
	if s.unready = s.whyPods(); s.unready == "" && s.active != config.RolePrimary {
		s.unready = "the Service leads to " + s.active
	}
	return s, nil
}

// looped has the loop measured on the first faults.
func (p *program) looped(ctx context.Context, s *stage) error {
	p.say("the loop")
	stop, err := s.startLoop(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for _, f := range faults[:loopFaults] {
		r := row{fault: f}
		r.switches = 2  // it always switches back
		r.least = 0     // it needn't see anything
		r.prepare = nil // there are no controllers to be moved
		runs := loopRuns
		if p.runs > 0 {
			runs = p.runs
		}
		for i := range runs {
			p.say("the loop: %s, run %d", f.name, i+1)
			got, err := s.runLoop(ctx, r.fault)
			if err != nil {
				return err
			}
			s.report(got)
			r.runs = append(r.runs, got)
		}
		p.loop = append(p.loop, r)
	}
	return nil
}

// runLoop is run with new clients: those that were switched once stay with the
// secondary, and a fault of the primary would be nothing to them.
func (s *stage) runLoop(ctx context.Context, f fault) (figures, error) {
	if _, err := s.settled(ctx, readyLimit); err != nil {
		return figures{fault: err.Error()}, nil
	}
	// The loop has to have seen that all is well, and the bridge to be back.
	if !sleep(ctx, 7*time.Second) {
		return figures{}, ctx.Err()
	}
	if err := s.restart(ctx); err != nil {
		return figures{}, err
	}
	defer s.leave()
	return s.run(ctx, f, 0)
}

// startLoop deploys the brokers in place of the others, and starts the loop.
func (s *stage) startLoop(ctx context.Context) (stop func(), err error) {
	if _, err := s.Kubectl(ctx, "", "delete", "deployments,statefulsets", "--all", "--namespace", namespace, "--cascade=foreground", "--timeout=120s"); err != nil {
		return nil, err
	}
	if _, err := s.Apply(ctx, loopObjects); err != nil {
		return nil, err
	}
	a, err := kubeapi.New(s.Kubeconfig(), 3*time.Second)
	if err != nil {
		return nil, err
	}
	logins, err := addresses(ctx, s.Cluster, load.Login{}, map[string]string{"": "loop", config.RolePrimary: "loop-primary", config.RoleSecondary: "loop-secondary"})
	if err != nil {
		return nil, err
	}
	s.system = &looped{a, logins}
	cmd := s.Command(ctx, cluster.Outside, "sh", "-c", loopScript)
	cmd.Env = []string{
		"PATH=" + s.Binaries + ":/usr/bin:/bin", "NAMESPACE=" + namespace, "HOME=" + s.Dir,
		"KUBECONFIG=" + filepath.Join(s.Dir, cluster.Outside, "admin.kubeconfig"),
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the loop: %w", err)
	}
	return func() {
		_ = cmd.Process.Kill()
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			s.say("ending the loop: %v", err)
		}
	}, nil
}

// duels are what the loop's figures and ours are compared by.
var duels = []struct {
	name string
	of   func(figures) int
}{
	{"QoS 1 messages lost", func(f figures) int { return f.lost }},
	{"runs with retained messages wrong", func(f figures) int { return min(1, len(f.retained)) }},
	{"runs with two writers", func(f figures) int { return min(1, len(f.both)) }},
	{"runs with clients left at the other broker", strayed},
}

// printDuel writes the loop's figures beside ours.
func printDuel(w io.Writer, ours, loop []row) {
	fmt.Fprint(w, "| fault, loop / ours | runs | outage, median, s | longest, s |")
	for _, d := range duels {
		fmt.Fprintf(w, " %s |", d.name)
	}
	fmt.Fprintln(w, "\n|"+strings.Repeat("---|", 4+len(duels)))
	for _, l := range loop {
		both := []row{l, find(ours, l.name)}
		cell := func(of func(row) string) {
			var sides []string
			for _, r := range both {
				if len(r.runs) == 0 {
					sides = append(sides, "–")
				} else {
					sides = append(sides, of(r))
				}
			}
			fmt.Fprintf(w, " %s |", strings.Join(sides, " / "))
		}
		fmt.Fprintf(w, "| %s |", l.name)
		cell(func(r row) string { return fmt.Sprint(len(r.runs)) })
		cell(func(r row) string { return capped(quantile(r.worst(), 50)) })
		cell(func(r row) string { return capped(quantile(r.worst(), 100)) })
		for _, d := range duels {
			cell(func(r row) string { return fmt.Sprint(r.sum(d.of)) })
		}
		fmt.Fprintln(w)
	}
}

// capped prints an outage that ended because the fault did.
func capped(d time.Duration) string {
	if d >= loopCap-2*time.Second {
		return "> " + fmt.Sprint(int(loopCap.Seconds()))
	}
	return seconds(d)
}

// find is the row of that name; the zero value where there is none.
func find(rows []row, name string) row {
	for _, r := range rows {
		if r.name == name {
			return r
		}
	}
	return row{}
}
