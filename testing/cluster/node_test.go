package cluster_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// A node whose cable is out is lost after the grace period, and comes back.
func TestUnplug(t *testing.T) {
	c := rig(t)
	node := c.Nodes[1]
	ready := func() string {
		return kubectl(t, c, "get", "node", node, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
	}
	ping := func() error {
		return c.Command(t.Context(), cluster.Outside, "ping", "-c", "1", "-W", "1", c.Address(node)).Run()
	}
	if err := ping(); err != nil {
		t.Fatalf("plugged in, it doesn't answer: %v", err)
	}
	if err := c.Unplug(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Plug(context.Background(), node); err != nil {
			t.Error(err)
		}
		t.Logf("back after %s", eventually(t, "node back", time.Minute, func() bool { return ready() == "True" }).Round(100*time.Millisecond))
	}()
	if ping() == nil {
		t.Error("it still answers")
	}
	t.Logf("lost after %s", eventually(t, "node lost", 30*time.Second, func() bool { return ready() == "Unknown" }).Round(100*time.Millisecond))
}

// Where nodes can't run, the API server alone judges objects.
func TestAlone(t *testing.T) {
	ask(t)
	o := options(t)
	o.Nodes = 2
	// The go command is there, containerd isn't.
	goroot := run(t, exec.Command("go", "env", "GOROOT"))
	t.Setenv("PATH", filepath.Join(goroot, "bin"))
	if _, err := cluster.Up(t.Context(), o); err == nil || !strings.Contains(err.Error(), "containerd is not installed") {
		t.Fatalf("without leave to fall back: %v", err)
	}
	o.Fallback = true
	c, err := cluster.Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Down(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(c.Dir); err == nil {
			t.Errorf("%s is still there", c.Dir)
		}
	}()
	if len(c.Nodes) != 0 || !strings.Contains(c.Reason, "containerd is not installed") {
		t.Errorf("it has the nodes %v, for %q", c.Nodes, c.Reason)
	}
	if err := c.Namespace(t.Context(), "alone", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Apply(t.Context(), `{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: alone}, date: {}}`); err == nil {
		t.Error("an unknown field is accepted")
	}
	if c.Command(t.Context(), cluster.Outside, "true").Run() == nil {
		t.Error("there is an outside")
	}
}
