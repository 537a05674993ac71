package machine

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process is one process, told from a later one with the same number by the
// time it started.
type Process struct {
	Name  string `json:"name"`
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot
}

// Find returns the running process pid under a name of the caller's choice.
func Find(name string, pid int) (Process, error) {
	start, _, err := stat(pid)
	return Process{name, pid, start}, err
}

// Alive reports whether p runs; one that has ended and only waits for its
// parent to take notice does not.
func (p Process) Alive() bool {
	start, state, err := stat(p.PID)
	return err == nil && start == p.Start && state != "Z" && state != "X"
}

// Kill ends p at once, if it still runs.
func (p Process) Kill() { _ = p.Signal(unix.SIGKILL) }

// Signal sends s to p. The error is os.ErrProcessDone where p doesn't run.
func (p Process) Signal(s unix.Signal) error {
	if !p.Alive() {
		return os.ErrProcessDone
	}
	return unix.Kill(p.PID, s)
}

// stat reads a process's start time and state (proc_pid_stat(5)).
func stat(pid int) (start uint64, state string, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, "", fmt.Errorf("reading process %d: %w", pid, err)
	}
	// The name, in parentheses, may hold anything.
	_, rest, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return 0, "", fmt.Errorf("reading process %d: %d fields", pid, len(fields))
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0], err
}
