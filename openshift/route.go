package openshift

import (
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

// route leads from outside to the listener l by the name in the TLS handshake;
// the router doesn't decrypt, since MQTT isn't HTTP.
func (d objects) route(l config.Listener) *routev1.Route {
	r := &routev1.Route{
		TypeMeta:   metav1.TypeMeta{APIVersion: "route.openshift.io/v1", Kind: "Route"},
		ObjectMeta: d.meta(d.cfg.Name),
		Spec: routev1.RouteSpec{
			Host: d.cfg.Deploy.Host,
			To:   routev1.RouteTargetReference{Kind: "Service", Name: tlsName(d.cfg.Name), Weight: new(int32(100))},
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
