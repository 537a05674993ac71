package config

import "strings"

// Broker returns the name of a broker's workload, Services and files: Name
// for role "", and Name-role for a broker of a pair.
func (c Config) Broker(role string) string {
	if role == "" {
		return c.Name
	}
	return c.Name + "-" + role
}

// BrokerHost is the outside name of one broker of a pair: Deploy.Host with the
// role behind its first part, so that it stays in the same domain. "" where
// there is no host.
func (c Config) BrokerHost(role string) string {
	first, rest, found := strings.Cut(c.Deploy.Host, ".")
	if !found {
		return ""
	}
	return first + "-" + role + "." + rest
}

// ServerHosts returns every name and address that the server certificate must
// carry: the loopback ones, the names of the Services with TLS and of the
// broker, the outside name and address, and TLS.Hosts; each once, in this order.
func (c Config) ServerHosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1", c.Name}
	services := []string{c.Name + "-tls"}
	switch c.Deploy.Profile {
	case ProfileLoadBalancer:
		services = []string{c.Name}
	case ProfileHA:
		services = []string{c.Name, c.Broker(RolePrimary), c.Broker(RoleSecondary)}
	}
	for _, service := range services {
		hosts = append(hosts, service)
		if ns := c.Deploy.Namespace; ns != "" {
			service += "." + ns
			hosts = append(hosts, service, service+".svc", service+".svc.cluster.local")
		}
	}
	hosts = append(hosts, c.outside()...)
	seen := map[string]bool{}
	var out []string
	for _, h := range append(hosts, c.TLS.Hosts...) {
		if k := strings.ToLower(h); h != "" && !seen[k] {
			seen[k] = true
			out = append(out, h)
		}
	}
	return out
}

// outside is what clients outside the cluster call the broker; "" is no name.
func (c Config) outside() []string {
	hosts := []string{c.Deploy.Host}
	if c.Deploy.Profile != ProfileOpenShift {
		hosts = append(hosts, c.Deploy.LoadBalancer.Address)
	}
	if c.Deploy.Routed() && c.Deploy.Profile == ProfileHA {
		hosts = append(hosts, c.BrokerHost(RolePrimary), c.BrokerHost(RoleSecondary))
	}
	return hosts
}

// Routed tells whether clients come through OpenShift's router, by Routes.
func (d Deploy) Routed() bool {
	return d.Profile == ProfileOpenShift || d.Profile == ProfileHA && d.Ingress == IngressRoute
}

// IDs returns the uid and gid of the pod; 0 is the cluster's choice.
func (d Deploy) IDs() (user, group int) {
	user, group = d.User, d.Group
	if d.Routed() {
		return user, group
	}
	if user == 0 {
		user = defaultID
	}
	if group == 0 {
		group = defaultID
	}
	return user, group
}

// Volume returns the size of each broker's volume, "" for none.
func (d Deploy) Volume() string {
	if d.Storage.Size == "" && d.Profile == ProfileLoadBalancer {
		return "1Gi"
	}
	return d.Storage.Size
}

// InCluster tells whether the certificates are made in the cluster, and so
// aren't ours to render.
func (t TLS) InCluster() bool {
	return t.Source == SourceCertManager || t.Source == SourceServiceCA
}
