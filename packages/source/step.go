package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
)

// step is a node of the build graph: what is made, from what, and how.
type step struct {
	name  string
	key   string  // digest of all that decides the result
	needs []*step // whose results it reads
	out   string  // the folder that is the result; there, it is complete
	light bool    // waits more than it computes: takes no slot
	run   func(ctx context.Context, work string, log *os.File) error
}

// outDir is the folder within a step's work folder that becomes its result.
const outDir = "out"

// done reports whether the step's result is there.
func (s *step) done() bool {
	_, err := os.Stat(s.out)
	return err == nil
}

// digest returns the hex SHA-256 of parts, each quoted so that they are told
// apart, and of the keys of the steps that they are used with.
func digest(needs []*step, parts ...string) string {
	h := sha256.New()
	for _, n := range needs {
		fmt.Fprintf(h, "%s %q\n", n.name, n.key)
	}
	for _, p := range parts {
		fmt.Fprintf(h, "%q\n", p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// plan returns the steps that have to run for target, and all those below it
// whose result is there already.
func plan(target *step) (todo, cached []*step) {
	var walk func(s *step, needed bool)
	walk = func(s *step, needed bool) {
		switch {
		case s.done():
			if !slices.Contains(cached, s) {
				cached = append(cached, s)
			}
			needed = false
		case needed && !slices.Contains(todo, s):
			todo = append(todo, s)
		}
		for _, n := range s.needs {
			walk(n, needed)
		}
	}
	walk(target, true)
	// Sources were reached last, but are what everything waits for.
	slices.Reverse(todo)
	slices.Reverse(cached)
	return todo, cached
}

// execute runs each step of todo by do once what it needs is done, at most
// slots at once besides the light ones. The first error ends all.
func execute(ctx context.Context, todo []*step, slots int, do func(context.Context, *step) error) error {
	finished := map[*step]chan struct{}{}
	for _, s := range todo {
		finished[s] = make(chan struct{})
	}
	free := make(chan struct{}, max(slots, 1))
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range todo {
		group.Go(func() error {
			for _, n := range s.needs {
				if wait, ok := finished[n]; ok {
					select {
					case <-wait:
					case <-ctx.Done():
						return ctx.Err()
					}
				}
			}
			if !s.light {
				select {
				case free <- struct{}{}:
					defer func() { <-free }()
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if err := do(ctx, s); err != nil {
				return err
			}
			close(finished[s])
			return nil
		})
	}
	return group.Wait()
}

// publish moves what a step made into its place, in one move: a result is
// there as a whole or not at all.
func publish(s *step, work string) error {
	if err := os.MkdirAll(filepath.Dir(s.out), 0o755); err != nil {
		return err
	}
	return os.Rename(filepath.Join(work, outDir), s.out)
}
