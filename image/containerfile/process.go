//go:build buildah

package containerfile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"go.podman.io/storage/pkg/reexec"
	"go.podman.io/storage/pkg/unshare"
	"golang.org/x/sys/unix"
)

// A build takes two processes: the one outside has the privileges to make
// namespaces, if need be by a user namespace, and outlives the one inside,
// which is the first of its process namespace: with it all of its steps end,
// whatever they have forked.
const (
	outsideName = "mosqbuild-build"
	insideName  = "mosqbuild-build-inside"
	// inUserNamespace is what unshare adds to the name when it runs the
	// program anew.
	inUserNamespace = "-in-a-user-namespace"
)

// outside runs the process inside and then removes the storage, in which only
// somebody of the user namespace may.
func outside() {
	unshare.MaybeReexecUsingUserNamespace(false)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	asked, r := asked()
	c := reexec.CommandContext(ctx, insideName)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(asked), os.Stdout, os.Stderr
	c.Env = append(os.Environ(), "TMPDIR="+r.Storage) // buildah's own leavings go with it
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	err := c.Run()
	if rerr := os.RemoveAll(r.Storage); rerr != nil {
		fail(rerr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) // the process inside has said why, if it could
	}
}

// inside builds. What it mounts, nobody else sees.
func inside() {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		fail(fmt.Errorf("keeping mounts private: %w", err))
	}
	// Steps should see their own processes alone. Where that is refused, as in
	// a container with parts of /proc hidden, the old one does.
	_ = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	_, r := asked()
	if err := r.build(context.Background()); err != nil {
		fail(err)
	}
}

func asked() (raw []byte, r request) {
	raw, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		fail(fmt.Errorf("reading what to build: %w", err))
	}
	return raw, r
}

// fail ends the process with the reason where Build looks for it.
func fail(err error) {
	fmt.Println(err)
	os.Exit(1)
}
