package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/mosqbuild/mosqbuild/testing/cluster/machine"
)

// The tables of packet filters that Block and Lose make.
const (
	blockTable = "rig-block"
	loseTable  = "rig-lose"
)

// Pod is one that runs on a node.
type Pod struct{ Node, UID string }

// Block cuts one way: at hears nothing more from the addresses, of pods or
// places, though they hear from it. Where at has no UID, it is the node itself
// and what it passes on. Another Block replaces the first; Unblock undoes it,
// and so does the end of the pod.
func (c *Cluster) Block(ctx context.Context, at Pod, from ...string) error {
	if len(from) == 0 {
		return errors.New("cutting off nobody")
	}
	p, err := c.network(at)
	if err != nil {
		return err
	}
	return p.filter(ctx, "inet "+blockTable,
		"chain hear { type filter hook prerouting priority raw; ip saddr { "+strings.Join(from, ", ")+" } drop; }")
}

// Unblock undoes Block.
func (c *Cluster) Unblock(ctx context.Context, at Pod) error {
	p, err := c.network(at)
	if err != nil {
		return err
	}
	return p.filter(ctx, "inet "+blockTable, "")
}

// Lose has a node's cable lose that share of packets, in percent, each way and
// at random; 0 mends it. It takes nft's random numbers for it, as not every
// kernel has the netem queue.
func (c *Cluster) Lose(ctx context.Context, node string, percent int) error {
	if c.place(node).pid == 0 || percent < 0 || percent > 100 {
		return fmt.Errorf("losing %d %% of the packets of %q: no such node or share", percent, node)
	}
	for _, end := range []struct {
		place  place
		device string
	}{{c.place(node), "eth0"}, {c.place(Outside), link(node)}} {
		chain := ""
		if percent > 0 {
			chain = fmt.Sprintf("chain %s { type filter hook ingress device %q priority 0; numgen random mod 100 < %d drop; }", "lose", end.device, percent)
		}
		if err := end.place.filter(ctx, "netdev "+loseTable+"-"+end.device, chain); err != nil {
			return err
		}
	}
	return nil
}

// filter replaces a table of packet filters; "" removes it.
func (p place) filter(ctx context.Context, table, chain string) error {
	// Adding it first makes the deletion of one that isn't there no error.
	rules := fmt.Sprintf("add table %[1]s\ndelete table %[1]s\n", table)
	if chain != "" {
		rules += fmt.Sprintf("table %s {\n%s\n}\n", table, chain)
	}
	cmd := p.network(ctx, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if _, err := output(cmd); err != nil {
		return fmt.Errorf("filtering packets at %s: %w", p.name, err)
	}
	return nil
}

// network is a place whose network is the pod's, or the node's.
func (c *Cluster) network(at Pod) (place, error) {
	if at.UID == "" {
		if p := c.place(at.Node); p.pid != 0 {
			return p, nil
		}
		return place{}, fmt.Errorf("there is no node %q", at.Node)
	}
	pids, err := c.PodProcesses(at)
	if err != nil {
		return place{}, err
	}
	if len(pids) == 0 {
		return place{}, fmt.Errorf("no process of pod %s runs on %s", at.UID, at.Node)
	}
	return place{at.UID, pids[0]}, nil
}

// PodProcesses returns the processes of a pod's containers, its sandbox's
// included, by the machine's own numbers for them.
func (c *Cluster) PodProcesses(at Pod) ([]int, error) {
	all, err := c.record.Contained(at.Node)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, pid := range all {
		cgroup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if _, err := machine.Find("", pid); err == nil && bytes.Contains(cgroup, []byte(at.UID)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
