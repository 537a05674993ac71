package openshift_test

import (
	"slices"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mosqbuild/mosqbuild/config"
)

func TestRoute(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		objs := objects(t, cfg)
		leads := routed(cfg)
		routes := find[routev1.Route](objs)
		want := 0
		switch {
		case leads == nil || cfg.TLS.Source == config.SourceServiceCA:
		case cfg.Deploy.Profile == config.ProfileOpenShift:
			want = 1
		case cfg.Deploy.Profile == config.ProfileHA && cfg.Deploy.Ingress == config.IngressRoute:
			want = 3
		}
		if len(routes) != want {
			t.Fatalf("%d Routes, want %d", len(routes), want)
		}
		for i, r := range routes {
			checkRoute(t, cfg, objs, leads[0], r, i == 0)
		}
	})
}

func checkRoute(t *testing.T, cfg config.Config, objs []runtime.Object, l config.Listener, r *routev1.Route, clients bool) {
	t.Helper()
	if clients != (r.Spec.Host == cfg.Deploy.Host) || !slices.Contains(append(cfg.ServerHosts(), ""), r.Spec.Host) || r.Spec.Port.TargetPort.StrVal != l.Name || r.Spec.TLS.Termination != routev1.TLSTerminationPassthrough {
		t.Errorf("the Route is %+v", r.Spec)
	}
	if r.Annotations["haproxy.router.openshift.io/timeout-tunnel"] != "1h" {
		t.Errorf("the Route's annotations are %v", r.Annotations)
	}
	for _, s := range find[corev1.Service](objs) {
		if s.Name == r.Spec.To.Name && slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == l.Name }) {
			return
		}
	}
	t.Errorf("no Service %q with a port %q", r.Spec.To.Name, l.Name)
}
