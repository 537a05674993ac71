// Command bench times mosqbuild against other tools that do the same jobs, and
// prints one table:
//
//	go run ./testing/bench [--format markdown] [--pairs N] [--check]
//
// Ours and the peer's run take turns on the same machine after a warm-up of
// each, so that whatever else the machine does falls on both alike; the ratio
// of the medians is what counts, not the seconds. A job whose peer can't run
// here is left out with the reason. What each job compares is said where it is
// defined, and in docs/benchmarks.md.
//
// The first run compiles apko's, kustomize's and helm's command lines, which
// takes some minutes, and keeps them in the user's cache folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := error(nil)
	switch {
	case len(os.Args) == 3 && os.Args[1] == generateArg:
		err = generate(ctx, os.Args[2])
	case len(os.Args) > 2 && os.Args[1] == timedArg:
		err = runTimed(os.Args[2:])
	default:
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// job is one row of the table.
type job struct {
	name   string
	target float64 // the most that reaches it, in unit; 0 is none
	unit   string  // of the target; "" is the ratio to the peer
	run    func(context.Context, *workspace) (result, error)
}

var jobs = []job{
	{name: "image build, nothing cached; apko", target: 1, run: coldBuildAgainstApko},
	{name: "image build, nothing cached; buildah", target: 0.2, run: coldBuildAgainstBuildah},
	{name: "image build, packages layer cached; apko, nothing cached", target: 0.5, run: warmBuildAgainstApko},
	{name: "image build, packages layer cached; apko, packages cached", target: 0.5, run: warmBuildAgainstWarmApko},
	{name: "build of 1 package, nothing cached; apko", target: 1, run: scaledAgainstApko(1, nil, true)},
	{name: "build of 10 packages, nothing cached; apko", target: 1, run: scaledAgainstApko(10, nil, true)},
	{name: "build of 60 packages, nothing cached; apko", target: 1, run: scaledAgainstApko(60, nil, true)},
	{name: "build of 1 package, again; apko", target: 1, run: scaledAgainstApko(1, nil, false)},
	{name: "build of 10 packages, again; apko", target: 1, run: scaledAgainstApko(10, nil, false)},
	{name: "build of 60 packages, again; apko", target: 1, run: scaledAgainstApko(60, nil, false)},
	{name: "build of 1 package, 2 platforms, nothing cached; apko", target: 1, run: scaledAgainstApko(1, bothPlatforms, true)},
	{name: "build of 10 packages, 2 platforms, nothing cached; apko", target: 1, run: scaledAgainstApko(10, bothPlatforms, true)},
	{name: "build of 60 packages, 2 platforms, nothing cached; apko", target: 1, run: scaledAgainstApko(60, bothPlatforms, true)},
	{name: "build of 1 package, 2 platforms, again; apko", target: 1, run: scaledAgainstApko(1, bothPlatforms, false)},
	{name: "build of 10 packages, 2 platforms, again; apko", target: 1, run: scaledAgainstApko(10, bothPlatforms, false)},
	{name: "build of 60 packages, 2 platforms, again; apko", target: 1, run: scaledAgainstApko(60, bothPlatforms, false)},
	{name: "build of 60 packages, nothing changed; --version", target: 50, unit: "ms more", run: rebuildUnchanged},
	{name: "peak memory, a package of 64 MB; ours of 1 MB", target: 1.3, run: memoryOfLarge},
	{name: "push after a one-file change; skopeo copy", target: 1, run: pushOneChange},
	{name: "image size; official image", target: 2.5, unit: "MB", run: imageSize},
	{name: "import of 2,000 users, 1,000 iterations; mosquitto_passwd", target: 0.6, run: importAt1000},
	{name: "import of 2,000 users, 101 iterations; mosquitto_passwd", run: importAt101},
	{name: "render, 1 broker; kustomize build", target: 1, run: renderOneAgainstKustomize},
	{name: "render, 1 broker; helm template", target: 1, run: renderOneAgainstHelm},
	{name: "render, 100 brokers; kustomize build, 100 times", target: 1, run: renderManyAgainstKustomize},
	{name: "render, 100 brokers; kustomize build of 100 bases, once", target: 1, run: renderManyAgainstKustomizeAtOnce},
	{name: "render, 100 brokers; helm template, 100 times", target: 1, run: renderManyAgainstHelm},
	{name: "render, 100 brokers; helm template of a chart of 100, once", target: 1, run: renderManyAgainstHelmAtOnce},
	{name: "render, 100 brokers; ours of 1, times 100", target: 1.3, run: renderIsLinear},
	{name: "broker, exec to CONNACK; Debian's mosquitto", run: brokerStart},
	{name: "start of the program (--version); apko", run: programStart},
}

// errMissed is what --check ends with where a target was missed.
var errMissed = errors.New("a target was missed")

func run(ctx context.Context, args []string, out, errOut io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	format := flags.String("format", "text", "`text or markdown`")
	pairs := flags.Int("pairs", 7, "how often ours and the peer's run take turns")
	only := flags.String("only", "", "run the jobs whose name contains `TEXT` alone")
	check := flags.Bool("check", false, "fail where a target is missed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *pairs < 1 || flags.NArg() > 0 || *format != "text" && *format != "markdown" {
		return fmt.Errorf("wrong arguments %q; run: go run ./testing/bench --help", args)
	}
	chosen := slices.DeleteFunc(slices.Clone(jobs), func(j job) bool { return !strings.Contains(j.name, *only) })
	if len(chosen) == 0 {
		return fmt.Errorf("no job's name contains %q", *only)
	}
	w, err := newWorkspace(ctx, *pairs, errOut)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.remove()) }()
	rows, err := measure(ctx, w, chosen)
	if err != nil {
		return err
	}
	if err := writeTable(out, *format, rows); err != nil {
		return err
	}
	if *check && anyMissed(rows) {
		return errMissed
	}
	return nil
}

func measure(ctx context.Context, w *workspace, jobs []job) ([]row, error) {
	var rows []row
	for _, j := range jobs {
		w.say("%s (load %s)", j.name, load())
		r, err := j.run(ctx, w)
		if reason := leftOut(""); errors.As(err, &reason) {
			r, err = result{note: "left out: " + string(reason)}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", j.name, err)
		}
		rows = append(rows, row{j, r})
	}
	return rows, nil
}

// leftOut is the reason why a job can't be measured on this machine.
type leftOut string

// Error implements error.
func (l leftOut) Error() string { return string(l) }

// load returns the machine's load over the last minute.
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(data), " ")
	return first
}
