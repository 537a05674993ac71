package source

import (
	"context"
	"fmt"
	"os"

	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// sourceNames are the Debian source packages of a build.
var sourceNames = []string{"musl", "openssl", "cjson", "mosquitto", "busybox", "ca-certificates"}

// compiled are the steps that compile, each made of the source package of its
// name, after those that it needs.
var compiled = []struct {
	name  string
	needs []string
}{
	{"musl", nil},
	{"openssl", []string{"musl"}},
	{"cjson", []string{"musl"}},
	{"mosquitto", []string{"musl", "openssl", "cjson"}},
	{"busybox", []string{"musl"}},
}

// format is a part of every key. Raise it when the Go code of this package or
// of package repo makes something else of the same input.
const format = "1"

// graph returns the last step of the build, the repository, and through it all
// others.
func (b *builder) graph(sources []Source, key *repo.Key) (*step, error) {
	scripts, err := readRecipes()
	if err != nil {
		return nil, err
	}
	scripts["mosquitto.sh"] = scripts[b.series.recipe]
	packages, versions := map[string]Source{}, map[string]string{}
	fetched, made := map[string]*step{}, map[string]*step{}
	for _, s := range sources {
		if versions[s.Name], err = apkVersion(s.Version); err != nil {
			return nil, err
		}
		packages[s.Name], fetched[s.Name] = s, b.fetch(s)
	}
	for _, c := range compiled {
		needs := []*step{fetched[c.name]}
		for _, n := range c.needs {
			needs = append(needs, made[n])
		}
		made[c.name] = b.compile(c.name, packages[c.name], needs, scripts)
	}
	made["ca-certificates"] = b.bundle(packages["ca-certificates"], fetched["ca-certificates"])
	return b.pack(made, versions, key), nil
}

// fetch is the step that downloads a source package.
func (b *builder) fetch(s Source) *step {
	key := digest(nil, format, s.digest())
	return &step{
		name: "source " + s.Name, key: key, light: true,
		out: b.store.path("archives", s.Name+"-"+key[:16]),
		run: func(ctx context.Context, work string, log *os.File) error {
			return b.apt().download(ctx, s, work+"/"+outDir, log)
		},
	}
}

// compile is the step that runs a recipe.
func (b *builder) compile(name string, source Source, needs []*step, scripts map[string]string) *step {
	s := &step{name: name, needs: needs}
	s.key = digest(needs, format, scripts[name+".sh"], scripts["toolchain.sh"], b.toolchain, b.machine.apk, epoch.String())
	s.out = b.store.path("steps", name+"-"+s.key[:16])
	s.run = recipe{
		step: s, source: source, archive: needs[0].out, scripts: scripts,
		machine: b.machine, jobs: b.jobs,
	}.run
	return s
}

// bundle is the step that makes the root certificates.
func (b *builder) bundle(source Source, fetched *step) *step {
	key := digest([]*step{fetched}, format)
	return &step{
		name: source.Name, key: key, needs: []*step{fetched},
		out: b.store.path("steps", source.Name+"-"+key[:16]),
		run: func(ctx context.Context, work string, log *os.File) error {
			return makeBundle(ctx, source, fetched.out, work, log)
		},
	}
}

// pack is the step that writes the repository.
func (b *builder) pack(made map[string]*step, versions map[string]string, key *repo.Key) *step {
	s := &step{name: "repository"}
	folders := map[string]string{}
	for _, name := range sourceNames {
		s.needs = append(s.needs, made[name])
		folders[name] = made[name].out
	}
	s.key = digest(s.needs, format, b.machine.apk, key.Name, fmt.Sprint(versions), fmt.Sprintf("%q", b.series.catalog()), fmt.Sprint(base()))
	s.out = b.store.path("repositories", s.key[:16])
	s.run = func(ctx context.Context, work string, _ *os.File) error {
		pkgs, err := assemble(b.series.catalog(), folders, versions)
		if err != nil {
			return err
		}
		return repo.Write(ctx, work+"/"+outDir, b.machine.apk, append(pkgs, base()), key, epoch)
	}
	return s
}
