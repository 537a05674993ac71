package cluster

import (
	"context"
	"fmt"
)

// clientIP is the address of the nth place that Client made, counted from 0.
func clientIP(n int) string { return fmt.Sprintf("10.88.77.%d", 101+n) }

// Client makes a place that is no node, for clients: joined to the nodes' bridge
// by a cable of its own, with a kube-proxy, so that Services' addresses work
// there whatever node is cut off. Enter, Command, Address, Unplug and Plug take
// its name.
func (c *Cluster) Client(ctx context.Context, name string) error {
	if len(c.Nodes) == 0 {
		return fmt.Errorf("making a place for clients: %w", ErrNoNodes)
	}
	if c.Address(name) != "" {
		return fmt.Errorf("making a place for clients: there is a %q already", name)
	}
	address := c.addClient(name)
	p, err := c.newPlace(ctx, name, c.resolver())
	if err != nil {
		return err
	}
	if err := c.cable(ctx, p, address, ""); err != nil {
		return err
	}
	// It takes its name for a node's, and wants one that there is; the name
	// matters to Services that prefer endpoints of the same node alone.
	if err := writeConfig(c.path(name, "kube-proxy.yaml"), c.kubeProxy(c.Nodes[0])); err != nil {
		return err
	}
	if err := c.daemon(p, "kube-proxy", c.program("kube-proxy"), "--config", c.path(name, "kube-proxy.yaml")); err != nil {
		return err
	}
	err = c.poll(ctx, "Services at "+name, func() (bool, error) {
		_, err := output(p.network(ctx, "nft", "list", "table", "ip", "kube-proxy"))
		return err == nil, c.alive(p, "kube-proxy")
	})
	if err != nil {
		return err
	}
	return c.save()
}

// addClient puts a place for clients down and returns its address.
func (c *Cluster) addClient(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Clients == nil {
		c.Clients = map[string]string{}
	}
	c.Clients[name] = clientIP(len(c.Clients))
	return c.Clients[name]
}
