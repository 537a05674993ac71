package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// PowerOff has nodes lose their power, all at once: their cables go dead, then
// every process ends as by SIGKILL, containers and all. Disks stay as the
// kernel has them, which is kinder than power is.
func (c *Cluster) PowerOff(ctx context.Context, nodes ...string) error {
	for _, node := range nodes {
		if !slices.Contains(c.Nodes, node) || c.place(node).pid == 0 {
			return fmt.Errorf("taking %q off power: there is no such node", node)
		}
		if err := c.Unplug(ctx, node); err != nil {
			return err
		}
	}
	var errs []error
	for _, node := range nodes {
		// The kernel ends what is in a process namespace with its first one.
		errs = append(errs, syscall.Kill(c.place(node).pid, syscall.SIGKILL))
	}
	for _, node := range nodes {
		errs = append(errs, c.poll(ctx, "the end of "+node, func() (bool, error) {
			left, err := c.record.Contained(node)
			return len(left) == 0 && !c.running(placePrefix+node), err
		}))
		// Its network lingers with the connections that nobody has closed.
		errs = append(errs, c.place(Outside).ip(ctx, "link del "+link(node)))
	}
	return errors.Join(errs...)
}

// PowerOn starts nodes that PowerOff stopped, all at once, with the disks they
// had. It returns when their kubelets run; pods come back after that.
func (c *Cluster) PowerOn(ctx context.Context, nodes ...string) error {
	errs := make(chan error)
	for _, node := range nodes {
		go func() { errs <- c.powerOn(ctx, node) }()
	}
	var all []error
	for range nodes {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

func (c *Cluster) powerOn(ctx context.Context, node string) error {
	i := slices.Index(c.Nodes, node)
	if i < 0 || c.running(placePrefix+node) {
		return fmt.Errorf("starting %q: there is no such node, or it runs", node)
	}
	// On a machine of its own these lie in memory.
	for _, gone := range []string{c.path(node, "run"), c.socket(node)} {
		if err := os.RemoveAll(gone); err != nil {
			return fmt.Errorf("starting %s: %w", node, err)
		}
	}
	if _, err := c.newPlace(ctx, node, c.resolver()); err != nil {
		return err
	}
	return c.startNode(ctx, i)
}

// running says whether a process put down under name runs.
func (c *Cluster) running(name string) bool {
	for _, p := range c.record.Named(name) {
		if p.Alive() {
			return true
		}
	}
	return false
}

// Ready waits until every node is Ready.
func (c *Cluster) Ready(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.nodesReady(ctx)
}
