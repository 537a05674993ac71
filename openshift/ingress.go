package openshift

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/openshift/crd"
)

// ingress leads to a pair from outside, where the clients' Service doesn't do
// so by itself.
func (d objects) ingress() (all []Object, err error) {
	switch d.cfg.Deploy.Ingress {
	case config.IngressRoute:
		if l, ok := d.routed(); ok {
			all = append(all, d.route(l, "", d.cfg.Deploy.Host))
			for _, role := range []string{config.RolePrimary, config.RoleSecondary} {
				all = append(all, d.route(l, role, d.cfg.BrokerHost(role)))
			}
		}
	case config.IngressTraefik:
		entries := d.entryPoints()
		for _, e := range entries {
			all = append(all, d.ingressRoute(e))
		}
		if d.options.TraefikPorts {
			ports, err := helmChartConfig(entries)
			if err != nil {
				return nil, err
			}
			all = append(all, ports)
		}
	}
	return all, nil
}

// entryPoint is a port of Traefik's and what it leads to.
type entryPoint struct {
	name    string // Traefik's, at most 15 bytes
	service string
	port    int // Traefik's, and the Service's
	tls     bool
}

// brokerEntry is the entry point that leads to the broker of that role.
func brokerEntry(role string) string { return "mqtt-" + role }

// entryPoints are one for each listener of the clients' Service, and one for
// the plain listener of each broker, to look at them one by one.
func (d objects) entryPoints() []entryPoint {
	var all []entryPoint
	for _, l := range d.cfg.Listeners {
		all = append(all, entryPoint{l.Name, d.cfg.Name, l.Port, l.TLS})
	}
	if _, plain := d.cfg.Listener(false); plain {
		for _, role := range []string{config.RolePrimary, config.RoleSecondary} {
			all = append(all, entryPoint{brokerEntry(role), d.cfg.Broker(role), brokerPort(role), false})
		}
	}
	return all
}

// ingressRoute leads from the entry point to the Service's own address, which
// follows a switch at once: Traefik's list of the pods behind it does so after
// 2 s (providersThrottleDuration).
func (d objects) ingressRoute(e entryPoint) *crd.IngressRouteTCP {
	rule := crd.RouteTCP{
		Match:    "HostSNI(`*`)",
		Services: []crd.ServiceTCP{{Name: e.service, Port: e.port, NativeLB: true}},
	}
	r := &crd.IngressRouteTCP{
		TypeMeta:   metav1.TypeMeta{APIVersion: "traefik.io/v1alpha1", Kind: "IngressRouteTCP"},
		ObjectMeta: d.meta(d.cfg.Name + "-" + e.name),
		Spec:       crd.IngressRouteTCPSpec{EntryPoints: []string{e.name}},
	}
	if e.tls {
		r.Spec.TLS = &crd.TLSTCP{Passthrough: true}
		if host := d.cfg.Deploy.Host; host != "" {
			rule.Match = fmt.Sprintf("HostSNI(`%s`)", host)
		}
	}
	r.Spec.Routes = []crd.RouteTCP{rule}
	return r
}
