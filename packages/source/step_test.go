package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// chain returns a → b → d and a → c → d, of which the results would be in dir.
func chain(dir string) map[string]*step {
	m := map[string]*step{}
	for _, s := range []struct {
		name  string
		needs string
	}{{"a", ""}, {"b", "a"}, {"c", "a"}, {"d", "bc"}} {
		n := &step{name: s.name, key: digest(nil, s.name), out: filepath.Join(dir, s.name)}
		for _, need := range s.needs {
			n.needs = append(n.needs, m[string(need)])
		}
		m[s.name] = n
	}
	return m
}

func names(steps []*step) string {
	var list []string
	for _, s := range steps {
		list = append(list, s.name)
	}
	return strings.Join(list, "")
}

func TestPlan(t *testing.T) {
	for _, c := range []struct{ there, todo, cached string }{
		{"", "abcd", ""},
		{"a", "bcd", "a"},
		{"abc", "d", "abc"},
		{"d", "", "d"},    // what only led to d isn't made again
		{"bd", "", "bd"},  // … even where a part of it is there
		{"b", "acd", "b"}, // c needs a
		{"bc", "d", "bc"}, // a isn't needed
		{"abcd", "", "abcd"},
	} {
		dir := t.TempDir()
		for _, name := range c.there {
			if err := os.Mkdir(filepath.Join(dir, string(name)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		todo, cached := plan(chain(dir)["d"])
		sorted := func(s string) string {
			out := ""
			for _, r := range "abcd" {
				if strings.ContainsRune(s, r) {
					out += string(r)
				}
			}
			return out
		}
		if sorted(names(todo)) != c.todo || sorted(names(cached)) != c.cached || len(todo) != len(c.todo) || len(cached) != len(c.cached) {
			t.Errorf("with %q there: to do %q, cached %q; want %q, %q", c.there, names(todo), names(cached), c.todo, c.cached)
		}
	}
}

func TestExecuteKeepsOrderAndSlots(t *testing.T) {
	m := chain(t.TempDir())
	m["c"].light = true
	todo, _ := plan(m["d"])
	var mu sync.Mutex
	var order string
	running, most := 0, 0
	err := execute(context.Background(), todo, 1, func(_ context.Context, s *step) error {
		mu.Lock()
		order += s.name
		if !s.light {
			running++
			most = max(most, running)
		}
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		if !s.light {
			running--
		}
		mu.Unlock()
		return nil
	})
	if err != nil || (order != "abcd" && order != "acbd") {
		t.Errorf("ran %q: %v", order, err)
	}
	if most != 1 {
		t.Errorf("%d steps ran at once on one slot", most)
	}
}

func TestExecuteEndsAllOnAnError(t *testing.T) {
	m := chain(t.TempDir())
	todo, _ := plan(m["d"])
	broken := errors.New("broken")
	ended, ran := false, ""
	in := make(chan struct{}) // else c might not have begun
	err := execute(context.Background(), todo, 2, func(ctx context.Context, s *step) error {
		switch s.name {
		case "b":
			<-in
			return broken
		case "c":
			close(in)
			<-ctx.Done()
			ended = true
			return ctx.Err()
		}
		ran += s.name
		return nil
	})
	if !errors.Is(err, broken) || !ended || ran != "a" {
		t.Errorf("error %v, neighbour ended: %v, ran besides: %q", err, ended, ran)
	}
}

func TestDigestTellsInputsApart(t *testing.T) {
	m := chain(t.TempDir())
	seen := map[string]bool{}
	for _, d := range []string{
		digest(nil, "ab", "c"), digest(nil, "a", "bc"), digest(nil, "abc"), digest(nil, "a\nb"), digest(nil, "a", "b"),
		digest([]*step{m["a"]}, "a"), digest([]*step{m["b"]}, "a"), digest(nil, "a"),
	} {
		if seen[d] {
			t.Errorf("two inputs have the digest %s", d)
		}
		seen[d] = true
	}
}
