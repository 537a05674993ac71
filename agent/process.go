package agent

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// process is a broker that runs.
type process interface {
	Signal(os.Signal) error
	// Wait returns how it ended, once it has.
	Wait() (*os.ProcessState, error)
}

// Program is the broker's.
type Program struct {
	// Args are the path of the program and its arguments. In the place of the
	// file that -c names, the broker gets it with the clients' ports of its slot.
	Args []string
	// Stdout and Stderr are handed to it. Default: the null device.
	Stdout, Stderr *os.File
	// DataDir is emptied before a standby starts.
	DataDir string
}

// launcher starts processes that are killed when the guard dies. The kernel
// counts the end of the thread that started one as its parent's, so all are
// started by one thread that lives until Close.
type launcher struct {
	requests chan launch
}

type launch struct {
	program Program
	conf    *os.File
	done    chan launched
}

type launched struct {
	process process
	err     error
}

func newLauncher() *launcher {
	l := &launcher{requests: make(chan launch)}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this function
		for r := range l.requests {
			p, err := r.program.start(r.conf)
			r.done <- launched{p, err}
		}
	}()
	return l
}

// Start starts the program, with conf as its configuration file.
func (l *launcher) Start(p Program, conf *os.File) (process, error) {
	r := launch{p, conf, make(chan launched, 1)}
	l.requests <- r
	got := <-r.done
	return got.process, got.err
}

// Close ends the thread, and what it started.
func (l *launcher) Close() { close(l.requests) }

func (p Program) start(conf *os.File) (process, error) {
	// None may be closed: the broker's next socket would take its place, and get
	// its log.
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("starting %q: %w", p.Args[0], err)
	}
	defer null.Close()
	files := []*os.File{null, cmp.Or(p.Stdout, null), cmp.Or(p.Stderr, null), conf}
	args := slices.Clone(p.Args)
	args[p.conf()] = fmt.Sprintf("/proc/self/fd/%d", len(files)-1)
	started, err := os.StartProcess(p.Args[0], args, &os.ProcAttr{
		Files: files,
		// In a group of its own, Ctrl-C at a terminal is for the guard to pass on.
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("starting %q: %w", p.Args[0], err)
	}
	return started, nil
}

// reap waits for processes that have ended and whose parents have too: they are
// handed to process 1, which has to. It leaves alone the one whose id is except,
// and asks for each by its id: others wait for their own.
func reap(proc string, except int) {
	stats, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "stat")) // the pattern is a good one
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has gone meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && pid != except && orphan(string(data)) {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // somebody else has
		}
	}
}

// orphan tells whether a line of /proc/PID/stat is of a process that has ended
// and is process 1's to wait for. The name, in brackets, may have anything in it.
func orphan(stat string) bool {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	return len(fields) > 1 && fields[0] == "Z" && fields[1] == "1"
}
