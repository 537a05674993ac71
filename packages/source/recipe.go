package source

import (
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// recipes are the shell scripts that compile. Each runs in a work folder, with
// the unpacked sources in source/, and leaves in $OUT
//
//	root/      what is shipped, at its path in a system
//	sysroot/   what other steps compile and link with
//	licenses/  the licence texts
//
// It has $ARCH, $RECIPES (the folder of these scripts) and for each step that
// it needs the folder of its result, such as $MUSL; and makes that it calls
// share the build's number of jobs. Its gcc, strip and the like are those for
// $ARCH, whatever the machine is that it runs on.
//
//go:embed recipes/*.sh
var recipes embed.FS

// epoch is the date of all that is made: the day trixie was released.
var epoch = time.Unix(1754697600, 0).UTC()

// recipe is a step that compiles.
type recipe struct {
	step    *step
	source  Source
	archive string // folder of the source package's files
	scripts map[string]string
	machine machine
	jobs    *jobs
}

// readRecipes returns all recipes, by file name.
func readRecipes() (map[string]string, error) {
	entries, err := recipes.ReadDir("recipes")
	if err != nil {
		return nil, err
	}
	scripts := map[string]string{}
	for _, e := range entries {
		data, err := recipes.ReadFile("recipes/" + e.Name())
		if err != nil {
			return nil, err
		}
		scripts[e.Name()] = string(data)
	}
	return scripts, nil
}

// unpack checks a source package's files and makes work/source of them, with
// Debian's patches applied.
func unpack(ctx context.Context, s Source, archive, work string, log *os.File) error {
	if err := s.verify(archive); err != nil {
		return err
	}
	// Its signature is the maintainer's; the index vouches for the file.
	c := command(ctx, work, log, "dpkg-source", "--no-check", "--extract", filepath.Join(archive, s.dsc()), "source")
	if err := c.Run(); err != nil {
		return fmt.Errorf("unpacking source package %q: %w", s.Name, err)
	}
	return nil
}

// run unpacks the sources into work and runs the recipe there.
func (r recipe) run(ctx context.Context, work string, log *os.File) error {
	if err := unpack(ctx, r.source, r.archive, work, log); err != nil {
		return err
	}
	return r.script(ctx, work, log)
}

func (r recipe) script(ctx context.Context, work string, log *os.File) error {
	dir := filepath.Join(work, "recipes")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, text := range r.scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	// The modes of what is installed must not hang on the user's umask.
	c := command(ctx, work, log, "sh", "-euc", `umask 022; . "$0"`, filepath.Join(dir, r.step.name+".sh"))
	if r.machine.wrapped() {
		cross := filepath.Join(work, "cross")
		if err := r.machine.equip(cross); err != nil {
			return err
		}
		c.Env = append(c.Env, "PATH="+cross+":"+toolPath)
	}
	c.Env = append(c.Env, "ARCH="+r.machine.apk, "SOURCE_DATE_EPOCH="+strconv.FormatInt(epoch.Unix(), 10),
		"RECIPES="+dir, "OUT="+filepath.Join(work, outDir))
	for _, n := range r.step.needs {
		if !n.light {
			c.Env = append(c.Env, strings.ToUpper(n.name)+"="+n.out)
		}
	}
	r.jobs.join(c)
	return c.Run()
}
