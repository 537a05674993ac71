package cluster_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// asked says that the tests that bring up a cluster are to run: they need root
// and, the first time, ten minutes to build Kubernetes.
const asked = "MOSQBUILD_CLUSTER"

// shared is the cluster that all tests use which don't break it.
var shared struct {
	once    sync.Once
	cluster *cluster.Cluster
	err     error
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mosqbuild-cluster-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	if c := shared.cluster; c != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if err := c.Down(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "taking the cluster down:", err)
			code = 1
		}
		cancel()
	}
	os.Exit(code)
}

// ask skips the test unless clusters are asked for.
func ask(t *testing.T) {
	t.Helper()
	if os.Getenv(asked) == "" {
		t.Skipf("skipped: it brings up a Kubernetes cluster; run: make test-cluster, or set %s=1", asked)
	}
}

// nodes skips the test where nodes can't run.
func nodes(t *testing.T) {
	t.Helper()
	ask(t)
	need.Root(t)
	need.Program(t, "containerd", "ctr", "runc", "ip", "nft", "nsenter", "conntrack", "haproxy", "ping", "mosquitto_sub")
}

// rig returns the shared cluster: three nodes, one for each failover controller,
// and a router.
func rig(t *testing.T) *cluster.Cluster {
	t.Helper()
	nodes(t)
	c := server(t)
	if len(c.Nodes) == 0 {
		need.Unmet(t, "%s", c.Reason)
	}
	return c
}

// server returns the shared cluster for its API server: where nodes can't run,
// and needn't, there are none.
func server(t *testing.T) *cluster.Cluster {
	t.Helper()
	ask(t)
	shared.once.Do(func() {
		began := time.Now()
		o := options(t)
		o.Nodes, o.NodeGrace, o.Fallback = 3, 8*time.Second, os.Getenv("MOSQBUILD_REQUIRE") == ""
		if shared.cluster, shared.err = cluster.Up(context.Background(), o); shared.err != nil {
			return
		}
		t.Logf("up after %s", time.Since(began).Round(100*time.Millisecond))
		if len(shared.cluster.Nodes) > 0 {
			shared.err = shared.cluster.Router()
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

// options are a cluster's, with its programs built.
func options(t *testing.T) cluster.Options {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	progress := func(format string, args ...any) { fmt.Fprintf(os.Stderr, "cluster: "+format+"\n", args...) }
	binaries, err := cluster.Binaries(context.Background(), filepath.Join(cache, "mosqbuild"), progress)
	if err != nil {
		t.Fatal(err)
	}
	return cluster.Options{Binaries: binaries, Logs: os.Getenv("MOSQBUILD_CLUSTER_LOGS"), Progress: progress}
}

// programDir is where program puts it.
var programDir string

// program is mosqbuild itself, built once, with the agent beside it.
var program = sync.OnceValues(func() (string, error) {
	file := filepath.Join(programDir, "mosqbuild")
	const commands = "github.com/mosqbuild/mosqbuild/cmd/"
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", programDir+"/", commands+"mosqbuild", commands+"mosqagent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building mosqbuild: %w: %s", err, out)
	}
	return file, nil
})

// mosqbuild runs mosqbuild in dir and returns what it prints.
func mosqbuild(t *testing.T, dir string, args ...string) string {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file, args...)
	cmd.Dir = dir
	return run(t, cmd)
}

// run wants cmd to succeed and returns what it prints, less the last line break.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := try(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func try(cmd *exec.Cmd) (string, error) {
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, &stdout, &stderr)
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}

// kubectl wants kubectl to succeed and returns what it prints.
func kubectl(t *testing.T, c *cluster.Cluster, args ...string) string {
	t.Helper()
	out, err := c.Kubectl(t.Context(), "", args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// eventually waits for done, at most so long, and returns how long it took.
func eventually(t *testing.T, what string, limit time.Duration, done func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > limit {
			t.Fatalf("after %s there is still not: %s", limit, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}
