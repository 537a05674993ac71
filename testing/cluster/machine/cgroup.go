package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// daemons is the cgroup, within a cluster's, of all processes that aren't in
// containers. It has no children: in version 2 only a leaf may hold processes.
const daemons = "daemons"

// hierarchies returns the roots of the machine's cgroup hierarchies: the one
// root of version 2, or in version 1 and hybrid set-ups each controller's.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.procs")); err == nil {
		return []string{cgroupRoot}, nil
	}
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return nil, fmt.Errorf("reading the cgroup hierarchies: %w", err)
	}
	var roots []string
	for _, e := range entries {
		root := filepath.Join(cgroupRoot, e.Name())
		if e.Type()&fs.ModeSymlink != 0 { // cpu,cpuacct and the like
			continue
		}
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil {
			roots = append(roots, root)
		}
	}
	return roots, nil
}

// Cgroup is the cluster's cgroup, as a path from the root of each hierarchy.
func (r *Record) Cgroup() string { return "/mosqbuild-" + filepath.Base(r.Dir) }

// MakeCgroup makes the cgroup for a part of the cluster, such as a node, in all
// hierarchies, and returns its path from their roots.
func (r *Record) MakeCgroup(part string) (string, error) {
	roots, err := hierarchies()
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.Cgroup(), part)
	for _, root := range roots {
		for _, dir := range []string{filepath.Join(root, r.Cgroup()), filepath.Join(root, path)} {
			if err := makeCgroup(dir); err != nil {
				return "", err
			}
		}
	}
	return path, nil
}

// makeCgroup makes one cgroup. A cpuset takes no process before it has
// processors and memory.
func makeCgroup(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making a cgroup: %w", err)
	}
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		own := filepath.Join(dir, name)
		if now, err := os.ReadFile(own); err != nil || strings.TrimSpace(string(now)) != "" {
			continue // not a cpuset, or already set
		}
		above, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			continue // version 2's root; empty means all there
		}
		if err := os.WriteFile(own, above, 0o644); err != nil {
			return fmt.Errorf("setting %s: %w", own, err)
		}
	}
	return nil
}

// Daemons opens the version 2 cgroup that processes of the cluster start in, so
// that one can be found even if its number was never put down. It returns nil
// where the machine has no such hierarchy.
func (r *Record) Daemons() (*os.File, error) {
	for _, root := range []string{cgroupRoot, filepath.Join(cgroupRoot, "unified")} {
		if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err != nil {
			continue
		}
		dir := filepath.Join(root, r.Cgroup(), daemons)
		for _, d := range []string{filepath.Dir(dir), dir} {
			if err := makeCgroup(d); err != nil {
				return nil, err
			}
		}
		return os.Open(dir)
	}
	return nil, nil
}

// removeCgroups ends what is in the cluster's cgroups, then removes them.
func (r *Record) removeCgroups(ctx context.Context) error {
	roots, err := hierarchies()
	if err != nil {
		return nil // a machine without cgroups
	}
	var errs []error
	for _, root := range roots {
		top := filepath.Join(root, r.Cgroup())
		var last error
		err := until(ctx, func() bool {
			last = emptyCgroup(top)
			return last == nil
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("removing a cgroup: %w", last))
		}
	}
	return errors.Join(errs...)
}

// emptyCgroup kills the processes in top and below, and removes the folders. It
// fails while some still end.
func emptyCgroup(top string) error {
	var dirs []string
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // what vanishes meanwhile is no matter
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		for _, pid := range members(dir) {
			if pid != os.Getpid() {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Contained returns the processes, containers' as a rule, in the cgroup that
// MakeCgroup made for a part of the cluster, and below it.
func (r *Record) Contained(part string) ([]int, error) {
	roots, err := hierarchies()
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		var pids []int
		_ = filepath.WalkDir(filepath.Join(root, r.Cgroup(), part), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil // it has just gone
			}
			pids = append(pids, members(path)...)
			return nil
		})
		if len(pids) > 0 {
			return pids, nil
		}
	}
	return nil, nil
}

// members are the processes in one cgroup.
func members(dir string) []int {
	data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	var pids []int
	for _, field := range strings.Fields(string(data)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}
