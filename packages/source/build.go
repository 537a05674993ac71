package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// Options say where and how to build.
type Options struct {
	Target
	Cache   string // folder for what can be made again; its part "source" is used
	Config  string // folder of the signing key, mosqbuild.rsa, which is made where missing
	Jobs    int    // processes at once; 0 is one a CPU
	Refresh bool   // ask the mirror for newer sources
	// AptEnv is given to apt besides a clean environment, as "name=value":
	// http_proxy and the like.
	AptEnv []string
	// Progress is told of every step, by one goroutine at a time. It may be nil.
	Progress func(Event)
}

// Result is a finished repository.
type Result struct {
	Repository string // folder, the same after every build
	Key        string // path of the public key file
	Sources    []Source
	Built      int // steps that ran
	Cached     int // steps that were there already
}

// Build makes the repository, or what of it has changed since the last Build in
// the same cache. Two processes that do so at once take turns.
//
// An error of a step is a *StepError. Where programs are missing on the
// machine, one error names all. When ctx ends, so do all started processes, and
// the error wraps ctx's.
func Build(ctx context.Context, o Options) (Result, error) {
	r, err := build(ctx, o)
	if err != nil {
		return Result{}, fmt.Errorf("building packages from source: %w", err)
	}
	return r, nil
}

func build(ctx context.Context, o Options) (r Result, err error) {
	if o.Cache == "" || o.Config == "" {
		return r, errors.New("no folder is given for the cache, or none for the key")
	}
	m, err := machineFor(o.Arch)
	if err != nil {
		return r, fault.With(fault.Usage, err)
	}
	if err := checkTools(m, present); err != nil {
		return r, err
	}
	line, err := o.series()
	if err != nil {
		return r, fault.With(fault.Usage, err)
	}
	b, err := newBuilder(ctx, m, line, o)
	if err != nil {
		return r, err
	}
	lock, err := b.store.lock(ctx, func() { b.tell(Event{Step: "lock", State: Waiting}) })
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.jobs.close(), lock.Close()) }()
	if err := b.store.sweep(); err != nil {
		return r, err
	}
	key, err := repo.LoadOrCreateKey(filepath.Join(o.Config, repo.KeyFile))
	if err != nil {
		return r, err
	}
	if r.Sources, err = b.sources(ctx); err != nil {
		return r, err
	}
	last, err := b.graph(r.Sources, key)
	if err != nil {
		return r, err
	}
	todo, cached := plan(last)
	for _, s := range cached {
		b.tell(Event{Step: s.name, State: Cached})
	}
	if err := execute(ctx, todo, b.o.Jobs, b.make); err != nil {
		return r, err
	}
	if err := b.store.point(last.out, line.suffix); err != nil {
		return r, err
	}
	r.Built, r.Cached = len(todo), len(cached)
	r.Repository, r.Key, err = Repository(o.Cache, o.Target)
	return r, err
}

// builder is what the steps of one build share.
type builder struct {
	o         Options
	store     store
	jobs      *jobs
	machine   machine
	series    series
	toolchain string

	telling sync.Mutex
}

func newBuilder(ctx context.Context, m machine, line series, o Options) (*builder, error) {
	if o.Jobs <= 0 {
		o.Jobs = runtime.NumCPU()
	}
	cache, err := filepath.Abs(o.Cache)
	if err != nil {
		return nil, err
	}
	b := &builder{o: o, store: storeIn(cache), machine: m, series: line}
	if b.toolchain, err = m.toolchain(ctx); err != nil {
		return nil, err
	}
	b.jobs, err = newJobs(o.Jobs)
	return b, err
}

func (b *builder) tell(e Event) {
	b.telling.Lock()
	defer b.telling.Unlock()
	if b.o.Progress != nil {
		b.o.Progress(e)
	}
}

// timed runs f as the named step.
func (b *builder) timed(ctx context.Context, name string, f func(log *os.File) error) error {
	start := time.Now()
	b.tell(Event{Step: name, State: Started})
	err := b.store.logged(ctx, name, f)
	state := Done
	if err != nil {
		state = Failed
	}
	b.tell(Event{Step: name, State: state, Elapsed: time.Since(start)})
	return err
}

// make runs a step in a work folder of its own.
func (b *builder) make(ctx context.Context, s *step) error {
	return b.timed(ctx, s.name, func(log *os.File) (err error) {
		work := b.store.path("work", s.key[:16])
		if err := os.MkdirAll(filepath.Join(work, outDir), 0o755); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, removeAll(work)) }()
		if err := s.run(ctx, work, log); err != nil {
			return err
		}
		return publish(s, work)
	})
}

// sources returns the source packages to build: those of the last build, or
// the mirror's present ones.
func (b *builder) sources(ctx context.Context) ([]Source, error) {
	if !b.o.Refresh {
		sources, err := b.store.load(sourceNames, b.series.suffix)
		if err != nil || sources != nil {
			return sources, fault.Hint(err, "run: mosqbuild packages build --refresh")
		}
	}
	var sources []Source
	err := b.timed(ctx, "index", func(log *os.File) (err error) {
		sources, err = b.apt().resolve(ctx, b.series.requests(), log)
		return err
	})
	if err != nil {
		return nil, err
	}
	return sources, b.store.save(sources, b.series.suffix)
}

func (b *builder) apt() apt { return apt{b.store.path("apt"), b.o.AptEnv} }
