package openshift

import (
	"slices"

	routev1 "github.com/openshift/api/route/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mosqbuild/mosqbuild/config"
)

// The router cuts a tunnel that is idle for so long: it must exceed the clients'
// keepalive, after which they send a ping. Most use 60 s.
const (
	annotationTunnel = "haproxy.router.openshift.io/timeout-tunnel"
	tunnelTimeout    = "1h"
)

// routed is the listener that the Route leads to: the first with TLS, of those for
// WebSockets only where there is no other. There is none where the
// certificate comes from the service CA: it names the Service alone, and a
// client that comes through the router would not find the name it asked for.
func (d objects) routed() (config.Listener, bool) {
	l, tls := d.cfg.Listener(true)
	if !tls && d.cfg.HasTLS() {
		l, tls = d.cfg.Listeners[slices.IndexFunc(d.cfg.Listeners, func(l config.Listener) bool { return l.TLS })], true
	}
	return l, tls && d.cfg.Deploy.Routed() && d.cfg.TLS.Source != config.SourceServiceCA
}

// routable are the listeners that the router may connect to: routed, and those for
// WebSockets, to which a Route of somebody's own may lead.
func (d objects) routable() (all []config.Listener) {
	first, ok := d.routed()
	if !ok {
		return nil
	}
	all = []config.Listener{first}
	for _, l := range d.cfg.Listeners {
		if l.TLS && l.WebSockets && l != first {
			all = append(all, l)
		}
	}
	return all
}

// route leads from outside to the listener l of the broker of that role by the
// name in the TLS handshake; the router doesn't decrypt, since MQTT isn't HTTP.
func (d objects) route(l config.Listener, role, host string) *routev1.Route {
	name := d.cfg.Broker(role)
	service := name
	if !d.pair() {
		service = tlsName(name)
	}
	r := &routev1.Route{
		TypeMeta:   metav1.TypeMeta{APIVersion: "route.openshift.io/v1", Kind: "Route"},
		ObjectMeta: d.meta(name),
		Spec: routev1.RouteSpec{
			Host: host,
			To:   routev1.RouteTargetReference{Kind: "Service", Name: service, Weight: new(int32(100))},
			Port: &routev1.RoutePort{TargetPort: intstr.FromString(l.Name)},
			TLS: &routev1.TLSConfig{
				Termination:                   routev1.TLSTerminationPassthrough,
				InsecureEdgeTerminationPolicy: routev1.InsecureEdgeTerminationPolicyNone,
			},
			WildcardPolicy: routev1.WildcardPolicyNone,
		},
	}
	r.Annotations = map[string]string{annotationTunnel: tunnelTimeout}
	return r
}
