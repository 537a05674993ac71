package packages_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// index makes a repository of packages given as "name=version: dependencies |
// provides", with a provider priority that grows with each.
func index(t *testing.T, specs ...string) repository {
	t.Helper()
	var pkgs []repo.Package
	for i, spec := range specs {
		head, rest, _ := strings.Cut(spec, ":")
		name, version, _ := strings.Cut(head, "=")
		depends, provides, _ := strings.Cut(rest, "|")
		pkgs = append(pkgs, repo.Package{
			Name: name, Version: version, Depends: strings.Fields(depends), Provides: strings.Fields(provides), ProviderPriority: i,
		})
	}
	return overFolder(t, pkgs)
}

func TestResolve(t *testing.T) {
	tests := map[string]struct {
		index []string
		world string
		want  string // of packages in order; "" is an error
	}{
		"dependencies first":     {[]string{"a=1: b c", "b=1: d", "c=1: d", "d=1"}, "a", "d=1 b=1 c=1 a=1"},
		"a ring":                 {[]string{"a=1: b", "b=1: a"}, "a", "b=1 a=1"},
		"newest":                 {[]string{"a=1.9", "a=1.10"}, "a", "a=1.10"},
		"version asked for":      {[]string{"a=1.9", "a=1.10"}, "a=1.9", "a=1.9"},
		"bound by a dependency":  {[]string{"a=1.9", "a=1.10", "b=1: a<1.10"}, "b", "a=1.9 b=1"},
		"provided":               {[]string{"a=1: so:x.so.1", "b=1: | so:x.so.1=1"}, "a", "b=1 a=1"},
		"priority of a provider": {[]string{"a=1: x", "b=1: | x", "c=1: | x"}, "a", "c=1 a=1"},
		"missing dependency":     {[]string{"a=1: nosuch"}, "a", ""},
		"conflict":               {[]string{"a=1: !b", "b=1"}, "a b", ""},
		"conflict the other way": {[]string{"a=1", "b=1: !a"}, "a b", ""},
		"deep conflict":          {[]string{"a=1: c", "b=1: d", "c=1", "d=1: !c"}, "a b", ""},
		"conflict with provided": {[]string{"a=1: | x=1", "b=1: !x"}, "a b", ""},
		"conflict with itself":   {[]string{"a=1: !x | x=1"}, "a", "a=1"},
		"conflict by version":    {[]string{"a=1: !b<2", "b=2"}, "a b", "a=1 b=2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := index(t, test.index...)
			for range 3 {
				lock, err := packages.Resolve(t.Context(), strings.Fields(test.world), r.options)
				if test.want == "" {
					if fault.HintOf(err) == "" || !strings.Contains(err.Error(), r.dir) {
						t.Errorf("error is %v, want one that names the repository, with a hint", err)
					}
					continue
				}
				must(t, err)
				var got []string
				for _, p := range lock.Packages {
					got = append(got, p.Name+"="+p.Version)
				}
				if !slices.Equal(got, strings.Fields(test.want)) {
					t.Errorf("packages are %q, want %q", got, test.want)
				}
			}
		})
	}
}

func TestResolveForAnotherArchitecture(t *testing.T) {
	r := overFolder(t, nil)
	must(t, repo.Write(t.Context(), r.dir, "aarch64", fixture(), testKey(), epoch))
	r.options.Arch = "arm64"
	lock, tree, err := build(t, r.options, "mosquitto")
	must(t, err)
	if p, _ := lock.Find("mosquitto"); lock.Arch != "arm64" || p.Arch != "aarch64" {
		t.Errorf("architecture is %q, of the package %q", lock.Arch, p.Arch)
	}
	if _, data := content(t, tree); data["etc/apk/arch"] != "aarch64\n" {
		t.Errorf("etc/apk/arch is %q", data["etc/apk/arch"])
	}
	if _, ok := lock.Find("nosuch"); ok {
		t.Error("the lock has a package that nobody asked for")
	}
}
