package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/testing/cluster/machine"
)

// Root is the folder that clusters lie in, each in one of its own: short, for
// there are sockets in it, and on a disk, for there are images.
const Root = "/var/tmp/mosqbuild-cluster"

// Progress is told what goes on, in the manner of fmt.Printf, without a line
// break. It is called from one goroutine at a time.
type Progress func(format string, args ...any)

// Options say what cluster to bring up.
type Options struct {
	// Nodes is how many there are, named n1 and on; 0 runs the control plane
	// alone.
	Nodes int
	// Binaries is the folder that Binaries returned.
	Binaries string
	// NodeGrace is how long a node may be silent before it counts as lost; 0 is
	// Kubernetes' own 50 s.
	NodeGrace time.Duration
	// Fallback allows the API server alone, on loopback, on a machine that
	// can't run nodes; Cluster.Reason then says why.
	Fallback bool
	// Detach lets the cluster outlive this process. Otherwise it goes down
	// when this process ends, however it ends.
	Detach bool
	// Logs is a folder to keep the logs in after Down; "" keeps none.
	Logs string
	// Progress may be nil.
	Progress Progress
}

// Cluster is a running cluster. Its methods may be called at once from several
// goroutines, unless they say otherwise.
type Cluster struct {
	// Dir is the cluster's folder.
	Dir string `json:"-"`
	// Binaries is the folder of the programs.
	Binaries string `json:"binaries"`
	// Nodes are the nodes' names: n1, n2 and so on.
	Nodes []string `json:"nodes"`
	// Clients are the addresses of the places that Client made, by name.
	Clients map[string]string `json:"clients,omitempty"`
	// Reason is why there are no nodes though some were asked for.
	Reason string `json:"reason,omitempty"`
	// Server is the API server's URL, as it is reached from the machine.
	Server string `json:"server"`
	// Logs is where Down leaves the logs.
	Logs string `json:"logs,omitempty"`

	record *machine.Record
	owner  *os.File // the watch waits for its end
	grace  time.Duration

	mu     sync.RWMutex // guards what follows, and Clients
	places map[string]place
}

const clusterFile = "cluster.json"

// Up brings up a cluster and returns when its API answers, all nodes are Ready
// and the custom resources are established. On an error, ctx's end included,
// nothing is left of it. The error is ErrNoNodes where the machine can't run
// nodes and o doesn't allow a fallback.
func Up(ctx context.Context, o Options) (*Cluster, error) {
	if o.Progress == nil {
		o.Progress = func(string, ...any) {}
	}
	c := &Cluster{Binaries: o.Binaries, Logs: o.Logs, grace: o.NodeGrace, places: map[string]place{}}
	if err := able(o.Nodes); err != nil {
		if !o.Fallback {
			return nil, err
		}
		c.Reason = err.Error()
		o.Nodes = 0
		o.Progress("no nodes, the API server alone: %v", err)
	}
	for i := range o.Nodes {
		c.Nodes = append(c.Nodes, fmt.Sprintf("n%d", i+1))
	}
	if err := c.create(); err != nil {
		return nil, err
	}
	if err := c.start(ctx, o); err != nil {
		err = fmt.Errorf("bringing up a cluster: %w", err)
		// ctx may have ended; taking down has to happen all the same.
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return nil, errors.Join(err, c.Down(undo))
	}
	return c, nil
}

// create makes the folder and the record.
func (c *Cluster) create() error {
	var id [3]byte
	_, _ = rand.Read(id[:])
	c.Dir = filepath.Join(Root, hex.EncodeToString(id[:]))
	if c.Reason != "" || os.Geteuid() != 0 {
		c.Dir = filepath.Join(os.TempDir(), filepath.Base(Root), filepath.Base(c.Dir))
	}
	self, err := machine.Find("owner", os.Getpid())
	if err != nil {
		return err
	}
	c.record, err = machine.Create(c.Dir, self)
	return err
}

// start does what Up promises, each step as soon as it can.
func (c *Cluster) start(ctx context.Context, o Options) error {
	if err := c.buildHelpers(ctx); err != nil {
		return err
	}
	if err := c.watch(); err != nil {
		return err
	}
	if err := c.startControl(ctx); err != nil {
		return err
	}
	o.Progress("the API server answers at %s", c.Server)
	if err := c.startNodes(ctx); err != nil {
		return err
	}
	if len(c.Nodes) > 0 {
		o.Progress("%d nodes are ready", len(c.Nodes))
	}
	if err := c.established(ctx); err != nil {
		return err
	}
	if err := c.save(); err != nil || !o.Detach {
		return err
	}
	return c.release()
}

// release lets the cluster outlive this process.
func (c *Cluster) release() error {
	if err := c.record.Release(); err != nil {
		return err
	}
	if _, err := c.owner.WriteString(machine.Keep); err != nil {
		return err
	}
	return c.owner.Close()
}

// save writes down what Open needs.
func (c *Cluster) save() error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(c.Dir, clusterFile), data, 0o644)
}

// List returns the folders of all clusters of this machine that are up, half
// up, or weren't taken down.
func List() ([]string, error) {
	var dirs []string
	for _, root := range slices.Compact([]string{Root, filepath.Join(os.TempDir(), filepath.Base(Root))}) {
		entries, err := os.ReadDir(root)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("listing clusters: %w", err)
		}
		for _, e := range entries {
			dirs = append(dirs, filepath.Join(root, e.Name()))
		}
	}
	return dirs, nil
}

// Open returns the running cluster in dir.
func Open(dir string) (*Cluster, error) {
	data, err := os.ReadFile(filepath.Join(dir, clusterFile))
	if err != nil {
		return nil, fmt.Errorf("opening the cluster in %q: %w", dir, err)
	}
	c := &Cluster{Dir: dir, places: map[string]place{}}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("opening the cluster in %q: %w", dir, err)
	}
	if c.record, err = machine.Read(dir); err != nil {
		return nil, err
	}
	for _, p := range c.record.Processes {
		if name, ok := placeName(p); ok && p.Alive() {
			c.places[name] = place{name, p.PID}
		}
	}
	return c, nil
}

// Down takes the cluster down and gives all it took of the machine back. It
// may be called again after an error.
func (c *Cluster) Down(ctx context.Context) error {
	err := errors.Join(c.keepLogs(), c.record.Undo(ctx))
	if c.owner != nil {
		_ = c.owner.Close() // the watch finds nothing to do
	}
	return err
}

// Owner returns the process that answers for the cluster in dir, and whether
// there is one and it runs.
func Owner(dir string) (pid int, ok bool) {
	r, err := machine.Read(dir)
	if err != nil {
		return 0, false
	}
	return r.Owner.PID, r.Owner.Alive()
}

// Remove takes down what is in dir, be it a running cluster or what was left of
// one.
func Remove(ctx context.Context, dir string) error {
	r, err := machine.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		r, err = &machine.Record{Dir: dir}, nil
	}
	if err != nil {
		return err
	}
	return r.Undo(ctx)
}

// keepLogs copies the logs to the folder that was asked for.
func (c *Cluster) keepLogs() error {
	if c.Logs == "" {
		return nil
	}
	if err := os.MkdirAll(c.Logs, 0o755); err != nil {
		return fmt.Errorf("keeping logs: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(c.Dir, "*", "*.log"))
	for _, file := range files {
		data, e := os.ReadFile(file)
		if e == nil {
			e = os.WriteFile(filepath.Join(c.Logs, filepath.Base(filepath.Dir(file))+"-"+filepath.Base(file)), data, 0o644)
		}
		err = errors.Join(err, e)
	}
	return err
}
