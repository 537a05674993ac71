package source

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// jobs lets all makes of a build share one number of processes, by make's own
// job server: a pipe that holds a byte for each process beyond the first that
// every make may run anyway. So a lone step gets all cores, and steps side by
// side share them.
//
// https://www.gnu.org/software/make/manual/html_node/POSIX-Jobserver.html
type jobs struct {
	n    int
	r, w *os.File
}

func newJobs(n int) (*jobs, error) {
	var fd [2]int
	// Not os.Pipe: its ends don't block, which make takes for an empty pipe.
	if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("making a pipe for make's jobs: %w", err)
	}
	j := &jobs{n, os.NewFile(uintptr(fd[0]), "jobs"), os.NewFile(uintptr(fd[1]), "jobs")}
	if _, err := j.w.Write(bytes.Repeat([]byte{'+'}, n-1)); err != nil {
		return nil, errors.Join(fmt.Errorf("filling the pipe for make's jobs: %w", err), j.close())
	}
	return j, nil
}

// join gives the makes that c runs their share.
func (j *jobs) join(c *exec.Cmd) {
	c.ExtraFiles = []*os.File{j.r, j.w} // descriptors 3 and 4
	c.Env = append(c.Env, fmt.Sprintf("MAKEFLAGS= -j%d --jobserver-auth=3,4", j.n))
}

func (j *jobs) close() error { return errors.Join(j.r.Close(), j.w.Close()) }
