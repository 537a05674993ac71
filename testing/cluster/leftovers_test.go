package cluster_test

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
	"github.com/mosqbuild/mosqbuild/testing/cluster/machine"
)

// kernelSettings are those that a kubelet changes on a machine that it has for
// itself.
var kernelSettings = []string{
	"kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom",
	"net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet", "net/netfilter/nf_conntrack_max",
}

// lifetime is how long an address is good for, which changes by itself.
var lifetime = regexp.MustCompile(`(valid|preferred)_lft \S+`)

// machineState is what a cluster could change on the machine besides what
// carries its name.
func machineState(t *testing.T) map[string]string {
	t.Helper()
	state := map[string]string{}
	for _, name := range kernelSettings {
		data, err := os.ReadFile("/proc/sys/" + name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		state[name] = strings.TrimSpace(string(data))
	}
	for _, dir := range []string{"/run/netns", "/run/containerd", "/var/lib/kubelet", "/var/lib/cni", "/var/lib/containerd", "/var/log/containers", "/var/log/pods", "/etc/cni"} {
		entries, err := os.ReadDir(dir)
		state[dir] = "absent"
		if err == nil {
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			state[dir] = strings.Join(names, " ")
		}
	}
	for name, args := range map[string][]string{"links": {"ip", "-oneline", "link"}, "routes": {"ip", "route"}, "addresses": {"ip", "-oneline", "address"}} {
		state[name] = lifetime.ReplaceAllString(run(t, exec.Command(args[0], args[1:]...)), "")
	}
	return state
}

// gone wants nothing left of the cluster in dir whose processes are given.
func gone(t *testing.T, dir string, processes []machine.Process) {
	t.Helper()
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", dir, err)
	}
	for _, p := range processes {
		if p.Alive() {
			t.Errorf("%s (process %d) still runs", p.Name, p.PID)
		}
	}
	if mounts, err := machine.Mounts(dir); err != nil || len(mounts) > 0 {
		t.Errorf("mounts are left: %v, %v", mounts, err)
	}
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		if left, _ := filepath.Glob(pattern + "mosqbuild-" + filepath.Base(dir)); len(left) > 0 {
			t.Errorf("cgroups are left: %v", left)
		}
	}
	// Whatever was never put down would still name the folder.
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range commands {
		if line, _ := os.ReadFile(file); strings.Contains(string(line), dir+"/") {
			t.Errorf("a process is left: %q", line)
		}
	}
}

// same wants the machine as it was.
func same(t *testing.T, before map[string]string) {
	t.Helper()
	after := machineState(t)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if before[name] != after[name] {
			t.Errorf("%s was %q, is %q", name, before[name], after[name])
		}
	}
}

func TestDownLeavesNothing(t *testing.T) {
	nodes(t)
	o := options(t)
	o.Nodes = 1
	before := machineState(t)
	began := time.Now()
	c, err := cluster.Up(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	up := time.Since(began)
	record, err := machine.Read(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Processes) < 9 {
		t.Errorf("the record has %d processes", len(record.Processes))
	}
	same(t, before) // not even while it is up
	began = time.Now()
	if err := c.Down(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Logf("up after %s, down after %s", up.Round(100*time.Millisecond), time.Since(began).Round(10*time.Millisecond))
	gone(t, c.Dir, record.Processes)
	same(t, before)
	if err := c.Down(context.Background()); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// However its owner ends, and whenever, a cluster goes with it.
func TestOwnersEnd(t *testing.T) {
	nodes(t)
	options(t) // builds Kubernetes
	owner := filepath.Join(t.TempDir(), "owner")
	run(t, exec.Command("go", "build", "-buildvcs=false", "-o", owner, "github.com/mosqbuild/mosqbuild/testing/cluster/cmd"))
	for _, test := range []struct {
		name   string
		at     string // of its progress
		signal syscall.Signal
	}{
		{"killed while the control plane starts", "", syscall.SIGKILL},
		{"killed while nodes start", "the API server answers", syscall.SIGKILL},
		{"interrupted while nodes start", "the API server answers", syscall.SIGINT},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := machineState(t)
			had := list(t)
			cmd := exec.Command(owner, "up", "--nodes", "1")
			progress, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for line := bufio.NewScanner(progress); test.at != "" && line.Scan() && !strings.Contains(line.Text(), test.at); {
			}
			// In the middle of what comes next.
			time.Sleep(time.Second)
			var dir string
			eventually(t, "cluster", soon, func() bool {
				for _, d := range list(t) {
					if pid, _ := cluster.Owner(d); pid == cmd.Process.Pid && !slices.Contains(had, d) {
						dir = d
					}
				}
				r, err := machine.Read(dir)
				return err == nil && len(r.Processes) > 0
			})
			record, err := machine.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it ended well")
			}
			took := eventually(t, "end of the cluster", soon, func() bool { _, err := os.Stat(dir); return err != nil })
			t.Logf("gone %s after %s", took.Round(10*time.Millisecond), test.signal)
			gone(t, dir, record.Processes)
			same(t, before)
		})
	}
}

// The program's own round: another process takes down what one brought up.
func TestProgram(t *testing.T) {
	nodes(t)
	options(t)
	file := filepath.Join(t.TempDir(), "cluster")
	run(t, exec.Command("go", "build", "-buildvcs=false", "-o", file, "github.com/mosqbuild/mosqbuild/testing/cluster/cmd"))
	before := machineState(t)
	dir := run(t, exec.Command(file, "up", "--nodes", "1"))
	record, err := machine.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := run(t, exec.Command(file, "status")); !strings.Contains(got, dir+"\t1 nodes\thttps://127.0.0.1:") {
		t.Errorf("the status is %q", got)
	}
	shell := exec.Command("sh", "-euc", `eval "$("$0" env "$1")"
		kubectl get nodes -o name
		$MOSQBUILD_N1 ip -4 -oneline address show eth0`, file, dir)
	if got := run(t, shell); !strings.Contains(got, "node/n1") || !strings.Contains(got, "10.88.77.11/24") {
		t.Errorf("with its environment: %q", got)
	}
	run(t, exec.Command(file, "down", dir))
	gone(t, dir, record.Processes)
	same(t, before)
}

func list(t *testing.T) []string {
	t.Helper()
	dirs, err := cluster.List()
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}
