package cluster

import (
	"context"
	"fmt"
)

// Balance does the work of a load balancer's controller: it gives a Service of
// type LoadBalancer the address, and has it announced from a node.
func (c *Cluster) Balance(ctx context.Context, namespace, service, address, node string) error {
	patch := fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":%q,"ipMode":"VIP"}]}}}`, address)
	_, err := c.Kubectl(ctx, "", "patch", "service", service, "--namespace", namespace, "--subresource=status", "--type=merge", "--patch", patch)
	if err != nil {
		return err
	}
	return c.Route(ctx, address, node)
}
