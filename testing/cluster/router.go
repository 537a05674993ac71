package cluster

import "errors"

// RouteDomain is what hosts of Routes end in that name none.
const RouteDomain = "apps.cluster.test"

// Router starts a router, Debian's HAProxy, at port 443 of Outside, which leads
// TLS to the pods of passthrough Routes, by the name in the handshake. It may be
// called once.
func (c *Cluster) Router() error {
	p := c.place(Outside)
	if p.pid == 0 {
		return errors.New("starting the router: the cluster has no network of its own")
	}
	return c.daemon(p, "router", c.path("bin", "inside"), "router", "--kubeconfig", c.kubeconfigOf("router"),
		"--dir", c.path(Outside), "--listen", outsideIP+":443", "--domain", RouteDomain)
}
