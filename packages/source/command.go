package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// toolPath is where programs are looked for: what a user's PATH puts first
// must not decide what is built.
const toolPath = "/usr/sbin:/usr/bin:/sbin:/bin"

// lookup returns the path of a program, or "".
func lookup(program string) string {
	for _, dir := range filepath.SplitList(toolPath) {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// command prepares a program that runs in dir with a clean environment and
// prints to out. When ctx ends it is killed with all that it started.
func command(ctx context.Context, dir string, out io.Writer, name string, args ...string) *exec.Cmd {
	path := name
	if !filepath.IsAbs(name) {
		path = lookup(name)
	}
	c := exec.CommandContext(ctx, path, args...)
	c.Dir, c.Stdout, c.Stderr = dir, out, out
	c.Env = []string{"PATH=" + toolPath, "HOME=" + dir, "LC_ALL=C", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second // should any of them have left the group
	return c
}

// StepError is a step that failed, with the end of what it printed.
type StepError struct {
	Step string
	Log  string // path of the whole log
	Tail string // its last lines
	Err  error
}

// Error returns several lines: the failure, the end of the log, its path.
func (e *StepError) Error() string {
	return fmt.Sprintf("running step %q: %v; its last lines:\n%slog: %s", e.Step, e.Err, e.Tail, e.Log)
}

// Unwrap returns what the step's program ended with.
func (e *StepError) Unwrap() error { return e.Err }

// The part of a log that an error shows. A compiler's command line can be
// longer than a screen.
const (
	tailLines = 20
	tailWidth = 240
)

// logged runs what f starts with the log of the named step as its output, and
// makes an error of f a StepError.
func (s store) logged(ctx context.Context, step string, f func(log *os.File) error) error {
	path := s.path("logs", strings.ReplaceAll(step, " ", "-")+".log")
	log, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the log of step %q: %w", step, err)
	}
	err = f(log)
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), log.Close())
	}
	if err == nil {
		return log.Close()
	}
	end, readErr := tail(log)
	return &StepError{Step: step, Log: path, Tail: end, Err: errors.Join(err, readErr, log.Close())}
}

// tail returns the last lines of a file, each ended by a line feed.
func tail(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	data := make([]byte, min(info.Size(), 64<<10))
	if _, err := f.ReadAt(data, info.Size()-int64(len(data))); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	var b strings.Builder
	for _, line := range lines[max(0, len(lines)-tailLines):] {
		if len(line) > tailWidth {
			line = line[:tailWidth] + " …"
		}
		b.WriteString("  " + strings.ToValidUTF8(line, "?") + "\n")
	}
	return b.String(), nil
}
