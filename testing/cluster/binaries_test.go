package cluster_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// Programs that are there are found without building, by a name that depends on
// what they were built from.
func TestBinariesFound(t *testing.T) {
	cache := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var building string
	_, err := cluster.Binaries(ctx, cache, func(format string, args ...any) {
		building = format
		cancel() // it would take minutes
	})
	if !errors.Is(err, context.Canceled) && (err == nil || !strings.Contains(err.Error(), "building etcd")) || !strings.HasPrefix(building, "building") {
		t.Fatalf("without programs it says %q, %v", building, err)
	}
	dirs, err := filepath.Glob(filepath.Join(cache, "cluster", "*", "bin"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("folders: %q, %v", dirs, err)
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"} {
		if err := os.WriteFile(filepath.Join(dirs[0], name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := cluster.Binaries(t.Context(), cache, func(format string, _ ...any) { t.Errorf("it says %q", format) })
	if err != nil || dir != dirs[0] {
		t.Errorf("with programs: %q, %v", dir, err)
	}
}

// The command of a node that isn't there says so.
func TestNoSuchNode(t *testing.T) {
	var c cluster.Cluster
	if err := c.Command(t.Context(), "n9", "true").Run(); err == nil || !strings.Contains(err.Error(), `no node "n9"`) {
		t.Errorf("%v", err)
	}
}
