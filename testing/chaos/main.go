package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if len(os.Args) > 1 && os.Args[1] == "load" {
		err = load.Run(ctx, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		if !errors.Is(err, errVerdict) {
			fmt.Fprintln(os.Stderr, "chaos:", err)
		}
		os.Exit(1)
	}
}

// errVerdict is the error of a pair that didn't pass.
var errVerdict = errors.New("the pair didn't pass")

// How long a profile may take from the cluster's being up, unless it is told what
// to do or for how long: a table that takes longer is measured by nobody.
const (
	fullLimit  = 100 * time.Minute
	shortLimit = 5 * time.Minute
)

// options are what is to be done.
type options struct {
	profile  string
	duration time.Duration // of random faults
	seed     uint64
	only     string // part of a fault's name, or "random" or "loop"
	runs     int    // of each fault; 0 is the profile's
	into     string // file with markers
	logs     string
	limit    time.Duration // for all of it; 0 is none
}

func (o options) short() bool { return o.profile == "short" }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.profile, "profile", "full", "full or short")
	flags.DurationVar(&o.duration, "duration", -1, "how long random faults go on (default 20m; short: 1m)")
	flags.Uint64Var(&o.seed, "seed", 0, "of the random faults (default: a new one)")
	flags.StringVar(&o.only, "only", "", "only faults whose name contains this; \"random\" and \"loop\" are names, too")
	flags.IntVar(&o.runs, "runs", 0, "runs of each fault (default: the profile's)")
	format := flags.String("format", "markdown", "of the table")
	flags.StringVar(&o.into, "write", "", "file to write the table into, between its markers")
	flags.StringVar(&o.logs, "logs", "", "folder to keep the cluster's logs in")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.profile != "full" && o.profile != "short" || *format != "markdown" {
		return o, fmt.Errorf("there is no such profile, format or argument: %s", strings.Join(args, " "))
	}
	if o.duration < 0 {
		o.duration, o.limit = 20*time.Minute, fullLimit
		if o.short() {
			o.duration, o.limit = time.Minute, shortLimit
		}
	}
	if o.only != "" || o.runs > 0 {
		o.limit = 0
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(stderr, "%s "+format+"\n", append([]any{clock(time.Since(began))}, args...)...)
	}
	p := program{options: o, say: say, began: began}
	err = p.measure(ctx)
	var text strings.Builder
	p.print(&text)
	fmt.Fprint(stdout, text.String())
	if err == nil && o.into != "" {
		err = p.write(o.into)
	}
	verdict, passed := p.verdict(err)
	fmt.Fprintln(stdout, verdict)
	switch {
	case err != nil:
		return err
	case !passed:
		return errVerdict
	}
	return nil
}

// clock is a time since the start as M:SS.
func clock(d time.Duration) string {
	return fmt.Sprintf("%3d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
