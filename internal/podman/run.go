package podman

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// stopTime bounds the end of a container that was told to end, on a busy machine
// too: a podman that is killed halfway leaves its storage as it was then.
const stopTime = 30 * time.Second

// Check finds what podman would fail on with less to say about it: podman
// itself absent, the name or a port taken. The errors carry hints.
func Check(ctx context.Context, o Options) error {
	var exit *exec.ExitError
	_, err := output(ctx, "container", "exists", o.Name)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fault.Hint(errors.New("podman is not installed"), "run: apt-get install podman")
	case err == nil:
		return fault.Hint(fmt.Errorf("there is a container %q already", o.Name),
			"run: podman rm -f %s, or give another --name", o.Name)
	case !errors.As(err, &exit) || exit.ExitCode() != 1:
		return fmt.Errorf("looking for a container %q: %w", o.Name, err)
	}
	for _, p := range o.Ports {
		if err := p.free(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Run runs the image, its output going to log, until it ends or ctx is done;
// then it is told to end by SIGTERM. It returns nil where ctx ended it, or it
// ended by itself with exit code 0. The container is gone when Run returns.
func Run(ctx context.Context, o Options, log io.Writer) error {
	c := exec.CommandContext(ctx, "podman", o.arguments()...)
	c.Stdout, c.Stderr = log, log
	// podman hands the signal on, and ends when the container has.
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = stopTime
	err := c.Run()
	if ctx.Err() == nil {
		if err != nil {
			return fmt.Errorf("running %q under podman: %w", o.Image, err)
		}
		return nil
	}
	// A podman that was still starting the container, or that had to be
	// killed, leaves it behind.
	return remove(context.WithoutCancel(ctx), o.Name)
}

// Start runs the image in the background and returns the container's ID.
func Start(ctx context.Context, o Options) (string, error) {
	id, err := output(ctx, o.arguments("--detach")...)
	if err != nil {
		return "", fmt.Errorf("starting %q under podman: %w", o.Image, err)
	}
	return id, nil
}

// lookTime is how often Gone looks.
const lookTime = 500 * time.Millisecond

// Gone waits until there is no container of that name, and tells that; or until
// ctx is done.
func Gone(ctx context.Context, name string) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(lookTime):
		}
		// Not ended halfway, as a signal does that the terminal sends to podman, too.
		looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		_, err := output(looking, "container", "exists", name)
		cancel()
		var exit *exec.ExitError // 1 is no such container, see podman-container-exists(1)
		if errors.As(err, &exit) && exit.ExitCode() == 1 && ctx.Err() == nil {
			return true
		}
	}
}

// remove removes the container where there is one.
func remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if _, err := output(ctx, "rm", "--force", "--ignore", "--time", "1", name); err != nil {
		return fmt.Errorf("removing the container %q: %w", name, err)
	}
	return nil
}

// output runs podman and returns what it prints; what it complains about is in
// the error.
func output(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "podman", args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if message := strings.TrimSpace(stderr.String()); err != nil && message != "" {
		err = fmt.Errorf("%w: %s", err, message)
	}
	return strings.TrimSpace(stdout.String()), err
}
