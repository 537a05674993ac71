//go:build buildah

package containerfile

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/containers/buildah"
	"go.podman.io/storage/pkg/reexec"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// request is what a build's process reads from its standard input.
type request struct {
	Options
	Storage string // folder of images and containers, which the process removes
	Layout  string // folder to make
}

// Init must be the first call of main, and the only one: a build is the program
// run anew, and so are many of buildah's steps. Init does what such a process is
// for and returns true, whereupon main must return.
func Init() bool {
	reexec.Register(outsideName, outside)
	reexec.Register(outsideName+inUserNamespace, outside)
	reexec.Register(insideName, inside)
	return buildah.InitReexec()
}

// Check returns nil: this program has buildah.
func Check() error { return nil }

// Build builds o.File into layout, a new folder in OCI layout, in layers as the
// file has steps. RUN steps run in a chroot, with this process's own limits,
// since raising them takes a privilege that few containers have (the soft one of
// open files is as Go raises it), and its network. When Build returns, also because
// ctx ended, every process and mount of it is gone. What the steps print ends up in
// the error alone.
func Build(ctx context.Context, o Options, layout string) (err error) {
	if o, err = o.absolute(); err != nil {
		return err
	}
	if layout, err = filepath.Abs(layout); err != nil {
		return err
	}
	storage, err := os.MkdirTemp("", "mosqbuild-storage-*")
	if err != nil {
		return fmt.Errorf("making storage for %q: %w", o.File, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(storage)) }()
	if rel, err := filepath.Rel(o.Context, storage); err == nil && filepath.IsLocal(rel) {
		o.Exclude = append(slices.Clone(o.Exclude), rel) // else it would be copied into itself
	}
	asked, err := json.Marshal(request{o, storage, layout})
	if err != nil {
		return err
	}
	var reason, said bytes.Buffer
	c := reexec.CommandContext(ctx, outsideName)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(asked), &reason, &said
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) } // it has to remove its storage
	err = c.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		why := cmp.Or(strings.TrimSpace(reason.String()), lastLines(said.String(), 20), err.Error())
		err = fmt.Errorf("building %q: %s", o.File, why)
		if reason.Len() == 0 { // it didn't come as far as the build
			err = fault.Hint(err, "it needs root that may mount, or user namespaces and a range of ids in /etc/subuid and /etc/subgid")
		}
	}
	return err
}

// absolute returns o with paths that hold in any folder.
func (o Options) absolute() (Options, error) {
	var errs [2]error
	o.File, errs[0] = filepath.Abs(o.File)
	o.Context, errs[1] = filepath.Abs(o.Context) // buildah asks for it
	bases := map[string]string{}
	for name, dir := range o.Bases {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return o, err
		}
		bases[name] = abs
	}
	o.Bases = bases
	return o, errors.Join(errs[:]...)
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
