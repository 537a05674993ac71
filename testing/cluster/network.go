package cluster

import (
	"context"
	"fmt"
	"net"
	"strings"
)

// Domain is what names of Services end in.
const Domain = "cluster.local"

// The addresses; see the package's comment.
const (
	outsideIP  = "10.88.77.1"
	nodeMask   = "/24"
	apiPort    = 6443
	bridge     = "br0"
	podCIDR    = "10.244.0.0/16"
	serviceNet = "10.96.0.0/16"
)

// serviceIP is the nth address of Services.
func serviceIP(n int) string { return fmt.Sprintf("10.96.0.%d", n) }

// nodeIP is the address of the ith node, counted from 0.
func nodeIP(i int) string { return fmt.Sprintf("10.88.77.%d", 11+i) }

// nodePods is the subnet of the ith node's pods.
func nodePods(i int) string { return fmt.Sprintf("10.244.%d.0/24", 1+i) }

// link is the name, Outside, of the cable to a node.
func link(node string) string { return "to-" + node }

// Address is the address of a node, of a place for clients, or of Outside; ""
// where there is no such.
func (c *Cluster) Address(where string) string {
	if where == Outside {
		return outsideIP
	}
	for i, name := range c.Nodes {
		if name == where {
			return nodeIP(i)
		}
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.Clients[where]
}

// bridge makes what the nodes get plugged into.
func (c *Cluster) bridge(ctx context.Context) error {
	return c.place(Outside).ip(ctx,
		"link add "+bridge+" type bridge",
		"addr add "+outsideIP+nodeMask+" dev "+bridge,
		"link set "+bridge+" up")
}

// plug connects the ith node and routes its pods, to it and from it.
func (c *Cluster) plug(ctx context.Context, i int) error {
	node := c.place(c.Nodes[i])
	if err := c.cable(ctx, node, nodeIP(i), c.Nodes[i]); err != nil {
		return err
	}
	if err := c.place(Outside).ip(ctx, "route replace "+nodePods(i)+" via "+nodeIP(i)); err != nil {
		return err
	}
	return node.forward(ctx)
}

// cable connects a place to the bridge and leads what it sends to pods to their
// nodes, but for those of the node own, which are in it.
func (c *Cluster) cable(ctx context.Context, p place, address, own string) error {
	err := c.place(Outside).ip(ctx,
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", link(p.name), p.pid),
		fmt.Sprintf("link set %s master %s up", link(p.name), bridge))
	if err != nil {
		return err
	}
	lines := []string{
		"link set eth0 up",
		"addr add " + address + nodeMask + " dev eth0",
		"route add default via " + outsideIP,
	}
	for i, name := range c.Nodes {
		if name != own {
			lines = append(lines, "route add "+nodePods(i)+" via "+nodeIP(i))
		}
	}
	return p.ip(ctx, lines...)
}

// forward lets p pass on packets that aren't for itself.
func (p place) forward(ctx context.Context) error {
	_, err := output(p.network(ctx, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.route_localnet=1"))
	return err
}

// ip has the program ip run the lines in p's network.
func (p place) ip(ctx context.Context, lines ...string) error {
	c := p.network(ctx, "ip", "-batch", "-")
	c.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if _, err := output(c); err != nil {
		return fmt.Errorf("setting up the network of %s: %w", p.name, err)
	}
	return nil
}

// Unplug takes a node's cable out: it goes on running, but nobody hears of it.
func (c *Cluster) Unplug(ctx context.Context, node string) error {
	return c.place(Outside).ip(ctx, "link set "+link(node)+" down")
}

// Plug puts a node's cable back in.
func (c *Cluster) Plug(ctx context.Context, node string) error {
	return c.place(Outside).ip(ctx, "link set "+link(node)+" up")
}

// Route has all that is sent to an address from Outside go through a node, as a
// load balancer would that announces it from there.
func (c *Cluster) Route(ctx context.Context, address, node string) error {
	return c.place(Outside).ip(ctx, "route replace "+address+" via "+c.Address(node))
}

// loopback opens a listener on a free port of the machine's loopback address.
func loopback() (*net.TCPListener, error) {
	return net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
}

// freePorts returns n ports that were free just now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := loopback()
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
