package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
)

const recordFile = "record.json"

// Record is the account of one cluster. Its methods may be called at once from
// several goroutines.
type Record struct {
	// Dir is the cluster's folder, which holds the record; its base name is
	// also that of its cgroup.
	Dir string `json:"-"`
	// Owner is the process that answers for the cluster; the zero value where
	// it is meant to outlive who made it.
	Owner Process `json:"owner"`
	// Processes are those started, the namespaces' first ones included.
	Processes []Process `json:"processes"`

	mu sync.Mutex
}

// Create makes dir and a record in it. It fails where dir exists.
func Create(dir string, owner Process) (*Record, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of clusters: %w", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making a cluster's folder: %w", err)
	}
	r := &Record{Dir: dir, Owner: owner}
	return r, r.save()
}

// Read reads the record in dir. The error is fs.ErrNotExist where there is none.
func Read(dir string) (*Record, error) {
	data, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err != nil {
		return nil, fmt.Errorf("reading the record of %q: %w", dir, err)
	}
	r := &Record{Dir: dir}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("reading the record of %q: %w", dir, err)
	}
	return r, nil
}

// Add puts down a process that was started.
func (r *Record) Add(p Process) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Processes = append(r.Processes, p)
	return r.save()
}

// Release leaves the cluster without an owner: it is to stay.
func (r *Record) Release() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Owner = Process{}
	return r.save()
}

// Named returns the processes put down under name, whether they run or not.
func (r *Record) Named(name string) []Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Process
	for _, p := range r.Processes {
		if p.Name == name {
			all = append(all, p)
		}
	}
	return all
}

func (r *Record) save() error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(r.Dir, recordFile), data, 0o644)
}

// Undo ends the processes and removes cgroups and folder, within what ctx
// allows. What is gone already is no error, so it can be called again.
func (r *Record) Undo(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, p := range r.Processes {
		p.Kill()
	}
	if err := r.removeCgroups(ctx); err != nil {
		errs = append(errs, err)
	}
	for _, p := range r.Processes {
		if err := until(ctx, func() bool { return !p.Alive() }); err != nil {
			errs = append(errs, fmt.Errorf("ending %s (process %d): %w", p.Name, p.PID, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return removeDir(r.Dir)
}

// removeDir removes dir, but never through a mount.
func removeDir(dir string) error {
	mounts, err := Mounts(dir)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if err := unix.Unmount(m, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %q: %w", m, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing a cluster's folder: %w", err)
	}
	if err := os.Remove(filepath.Dir(dir)); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.EEXIST) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the folder of clusters: %w", err)
	}
	return nil
}

// Mounts returns what is mounted below dir in this mount namespace, the deepest
// first.
func Mounts(dir string) ([]string, error) {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	var below []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir+"/") {
			below = append([]string{f[1]}, below...)
		}
	}
	return below, nil
}

// until waits for done; the error is ctx's.
func until(ctx context.Context, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
