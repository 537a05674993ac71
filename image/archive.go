package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// writeArchive writes the layout as a tar stream.
func (c contents) writeArchive(ctx context.Context, w io.Writer) error {
	tw := tar.NewWriter(w)
	add := func(name string, size int64, fill func(io.Writer) error) error {
		h := tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)}
		if err := tw.WriteHeader(&h); err != nil {
			return err
		}
		return fill(tw)
	}
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: time.Unix(0, 0)}); err != nil {
			return err
		}
	}
	for _, b := range c.blobs {
		err := add("blobs/sha256/"+b.digest.Hex, b.size, func(w io.Writer) error { return b.copyTo(ctx, w) })
		if err != nil {
			return err
		}
	}
	for _, f := range []struct{ name, data string }{{layoutFile, layoutContent}, {indexFile, string(c.index)}} {
		err := add(f.name, int64(len(f.data)), func(w io.Writer) error {
			_, err := io.WriteString(w, f.data)
			return err
		})
		if err != nil {
			return err
		}
	}
	return tw.Close()
}

// load streams the archive into "podman load", which takes the name from the
// archive and keeps the digest.
func (c contents) load(ctx context.Context) (err error) {
	tmp, err := os.MkdirTemp("", "mosqbuild-*")
	if err != nil {
		return fmt.Errorf("making a folder for podman: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	podman := exec.CommandContext(ctx, "podman", "load", "--quiet")
	podman.Cancel = func() error { return podman.Process.Signal(syscall.SIGTERM) }
	if os.Geteuid() == 0 || os.Getenv("XDG_RUNTIME_DIR") != "" { // else podman has its state there, too
		podman.Env = append(os.Environ(), "TMPDIR="+tmp) // it leaves there what it has read when it is ended
	}
	r, w := io.Pipe()
	var said bytes.Buffer
	podman.Stdin, podman.Stdout, podman.Stderr = r, &said, &said
	podman.WaitDelay = 5 * time.Second
	written := make(chan error, 1)
	go func() {
		err := c.writeArchive(ctx, w)
		written <- err
		w.CloseWithError(err) //nolint:errcheck // it returns nil always
	}()
	err = podman.Run()
	r.CloseWithError(errors.New("podman has ended")) //nolint:errcheck // it returns nil always
	werr := <-written
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return fault.Hint(err, "install podman, or write a file instead: -o oci-archive:FILE")
	case err != nil:
		return fmt.Errorf("running podman load: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return werr
}
