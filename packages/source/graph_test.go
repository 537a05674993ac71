package source

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// graphKeys returns the key of every step, by name.
func graphKeys(t *testing.T, b *builder, sources []Source, key string) map[string]string {
	t.Helper()
	last, err := b.graph(sources, &repo.Key{Name: key})
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	todo, _ := plan(last)
	for _, s := range todo {
		keys[s.name] = s.key
	}
	return keys
}

func TestKeysFollowTheirInputs(t *testing.T) {
	sources := func(changed string) []Source {
		var list []Source
		for _, name := range sourceNames {
			s := Source{Name: name, Version: "1.0-1", Files: []SourceFile{{name + "_1.0-1.dsc", 1, sum}}}
			if name == changed {
				s.Files[0].SHA256 = strings.Repeat("0b", 32)
			}
			list = append(list, s)
		}
		return list
	}
	b, _ := testBuilder(t, 1)
	before := graphKeys(t, b, sources(""), "key")
	if len(before) != 2*len(sourceNames)+1 {
		t.Errorf("steps: %v", slices.Sorted(maps.Keys(before)))
	}
	compiler := &builder{store: b.store, jobs: b.jobs, machine: b.machine, series: b.series, toolchain: "another"}
	other := &builder{store: b.store, jobs: b.jobs, machine: machine{apk: "riscv64"}, series: b.series}
	newer := &builder{store: b.store, jobs: b.jobs, machine: b.machine, series: allSeries[1]}
	for name, c := range map[string]struct {
		b       *builder
		changed string
		key     string
		want    string
	}{
		"nothing":       {b, "", "key", ""},
		"a library":     {b, "openssl", "key", "mosquitto openssl repository source openssl"},
		"the C library": {b, "musl", "key", "busybox cjson mosquitto musl openssl repository source musl"},
		"certificates":  {b, "ca-certificates", "key", "ca-certificates repository source ca-certificates"},
		"the compiler":  {compiler, "", "key", "busybox cjson mosquitto musl openssl repository"},
		"architecture":  {other, "", "key", "busybox cjson mosquitto musl openssl repository"},
		"Mosquitto":     {newer, "", "key", "mosquitto repository"},
		"the key":       {b, "", "other", "repository"},
	} {
		after := graphKeys(t, c.b, sources(c.changed), c.key)
		var changed []string
		for _, step := range slices.Sorted(maps.Keys(after)) {
			if after[step] != before[step] {
				changed = append(changed, step)
			}
		}
		if got := strings.Join(changed, " "); got != c.want {
			t.Errorf("after a change of %s these are made anew: %q, want %q", name, got, c.want)
		}
	}
}
