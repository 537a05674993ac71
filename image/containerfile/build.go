//go:build buildah

package containerfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containers/buildah"
	"github.com/containers/buildah/define"
	"github.com/containers/buildah/imagebuildah"
	"go.podman.io/storage"
	"golang.org/x/sys/unix"
)

// Init must be the first call of a program that builds: buildah runs the
// program anew for steps that need another root folder, and then Init does the
// step and returns true, whereupon main must return.
func Init() bool { return buildah.InitReexec() }

// Build builds o.File and returns the image's ID in o.Storage. Steps run in a
// chroot, with this process's own limits, since raising them takes a privilege
// that few containers have. What the steps print ends up in the error alone.
func Build(ctx context.Context, o Options) (id string, err error) {
	dir, err := filepath.Abs(o.Context) // buildah asks for it
	if err != nil {
		return "", fmt.Errorf("finding the context %q: %w", o.Context, err)
	}
	limits, err := ulimits()
	if err != nil {
		return "", err
	}
	store, err := storage.GetStore(storage.StoreOptions{
		RunRoot: filepath.Join(o.Storage, "run"), GraphRoot: filepath.Join(o.Storage, "graph"),
		GraphDriverName: "vfs", // the one that works everywhere; these images are small
	})
	if err != nil {
		return "", fmt.Errorf("opening storage %q: %w", o.Storage, err)
	}
	defer func() {
		_, serr := store.Shutdown(false)
		err = errors.Join(err, serr)
	}()
	var said bytes.Buffer
	epoch := time.Unix(0, 0).UTC()
	id, _, err = imagebuildah.BuildDockerfiles(ctx, store, define.BuildOptions{
		ContextDirectory: dir,
		Args:             o.Args,
		Output:           o.Tag,
		OutputFormat:     define.OCIv1ImageManifest,
		Isolation:        define.IsolationChroot,
		CommonBuildOpts:  &define.CommonBuildOptions{Ulimit: limits},
		Timestamp:        &epoch,
		Out:              &said, Err: &said, ReportWriter: &said,
	}, o.File)
	if err != nil {
		return "", fmt.Errorf("building %q: %w: %s", o.File, err, strings.TrimSpace(said.String()))
	}
	return id, nil
}

// ulimits returns the limits of this process as buildah wants them.
func ulimits() ([]string, error) {
	var list []string
	for name, which := range map[string]int{"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC} {
		var r syscall.Rlimit
		if err := syscall.Getrlimit(which, &r); err != nil {
			return nil, fmt.Errorf("reading the limit %s: %w", name, err)
		}
		list = append(list, fmt.Sprintf("%s=%d:%d", name, int64(r.Cur), int64(r.Max)))
	}
	return list, nil
}
