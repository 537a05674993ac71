package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// timedArg has this program run a command, and tell what it took on timedFile.
// Linux counts as a process's peak memory what the one that starts it has had
// itself, see getrusage(2), and a new process has had little.
const (
	timedArg  = "run-timed"
	timedFile = 3
)

// took is what a command took.
type took struct {
	Wall, CPU time.Duration
	Peak      int64 // in bytes; 0 where the process that started it had more
}

// timed runs a command to its end.
func timed(c *exec.Cmd) (_ sample, err error) {
	args := c.Args
	fail := func(err error) (sample, error) { return sample{}, fmt.Errorf("running %q: %w", args, err) }
	if c.Err != nil {
		return fail(c.Err)
	}
	self, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var said bytes.Buffer
	if c.Stdout == nil {
		c.Stdout = &said
	}
	c.Stderr, c.ExtraFiles = &said, []*os.File{w}
	c.Path, c.Args = self, append([]string{self, timedArg, c.Path}, args[1:]...)
	if err := errors.Join(c.Run(), w.Close()); err != nil {
		return fail(fmt.Errorf("%w\n%s", err, said.String()))
	}
	var t took
	data, err := io.ReadAll(r)
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil {
		return fail(fmt.Errorf("reading what it took: %w", err))
	}
	return sample{t.Wall, t.CPU, t.Peak}, nil
}

// runTimed is what timed starts: it runs a command, which ends with it.
func runTimed(command []string) error {
	syscall.CloseOnExec(timedFile)
	runtime.LockOSThread() // the thread that starts the command is its parent
	c := exec.Command(command[0], command[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	err := c.Run()
	t := took{Wall: time.Since(start)}
	if err != nil {
		return err
	}
	t.CPU = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return err
	}
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok && usage.Maxrss > own.Maxrss {
		t.Peak = usage.Maxrss * 1024 // from KiB
	}
	return json.NewEncoder(os.NewFile(timedFile, "what it took")).Encode(t)
}
