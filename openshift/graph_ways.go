package openshift

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Who uses a broker.
const (
	clientsOutside = "clients outside the cluster"
	clientsInside  = "clients in the cluster"
)

// annotationHostname names a load balancer for external-dns.
const annotationHostname = "external-dns.alpha.kubernetes.io/hostname"

// is tells whether the object is of that group ("" is the core) and kind.
func (m *member) is(group, kind string) bool { return m.Group == group && m.Kind == kind }

// into reads an object into its Go type.
func (m *member) into(typed any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(m.content, typed); err != nil {
		return fmt.Errorf("reading %s %q: %w", m.Kind, m.Name, err)
	}
	return nil
}

// outside draws what leads into the cluster, as far as the Services.
func (g *graph) outside() error {
	for _, m := range g.objects {
		var err error
		switch {
		case m.is(routev1.GroupName, "Route"):
			err = g.route(m)
		case m.Kind == "IngressRouteTCP":
			err = g.ingressRoute(m)
		case m.is("", "Service"):
			err = g.exposed(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *graph) route(m *member) error {
	var r routev1.Route
	if err := m.into(&r); err != nil {
		return err
	}
	id := g.nodes[m.node].id
	if r.Spec.Host != "" {
		g.nodes[m.node].label = append(g.nodes[m.node].label, r.Spec.Host)
	}
	label := "no TLS"
	if r.Spec.TLS != nil {
		label = "TLS, " + string(r.Spec.TLS.Termination)
	}
	g.connect(g.someone(clientsOutside), arrowData, id, label)
	port := ""
	if r.Spec.Port != nil {
		port = r.Spec.Port.TargetPort.String()
	}
	for _, to := range append([]routev1.RouteTargetReference{r.Spec.To}, r.Spec.AlternateBackends...) {
		g.connect(id, arrowData, g.find(m, "Service", to.Name), port)
	}
	return nil
}

// ingressRouteTCP is the part of Traefik's object that is drawn.
type ingressRouteTCP struct {
	Spec struct {
		EntryPoints []string `json:"entryPoints"`
		Routes      []struct {
			Match    string `json:"match"`
			Services []struct {
				Name string             `json:"name"`
				Port intstr.IntOrString `json:"port"`
			} `json:"services"`
		} `json:"routes"`
	} `json:"spec"`
}

func (g *graph) ingressRoute(m *member) error {
	var r ingressRouteTCP
	if err := m.into(&r); err != nil {
		return err
	}
	id := g.nodes[m.node].id
	g.connect(g.someone(clientsOutside), arrowData, id, strings.Join(r.Spec.EntryPoints, ", "))
	for _, route := range r.Spec.Routes {
		g.nodes[m.node].label = append(g.nodes[m.node].label, route.Match)
		for _, s := range route.Services {
			g.connect(id, arrowData, g.find(m, "Service", s.Name), s.Port.String())
		}
	}
	return nil
}

// exposed draws the way into a Service with an address outside the cluster.
func (g *graph) exposed(m *member) error {
	var s corev1.Service
	if err := m.into(&s); err != nil {
		return err
	}
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer && s.Spec.Type != corev1.ServiceTypeNodePort {
		return nil
	}
	g.nodes[m.node].label = append(g.nodes[m.node].label, string(s.Spec.Type))
	if host := s.Annotations[annotationHostname]; host != "" {
		g.nodes[m.node].label = append(g.nodes[m.node].label, host)
	}
	var ports []string
	for _, p := range s.Spec.Ports {
		port := int(p.Port)
		if s.Spec.Type == corev1.ServiceTypeNodePort {
			port = int(p.NodePort)
		}
		if port != 0 {
			ports = append(ports, strconv.Itoa(port))
		}
	}
	g.connect(g.someone(clientsOutside), arrowData, g.nodes[m.node].id, strings.Join(ports, ", "))
	return nil
}

// services draws the way of clients in the cluster, and on to the listeners.
func (g *graph) services() error {
	for _, m := range g.objects {
		if !m.is("", "Service") {
			continue
		}
		var s corev1.Service
		if err := m.into(&s); err != nil {
			return err
		}
		for _, p := range g.pods {
			suffix := ""
			if g.switched(m, s, p) {
				suffix = ", while it serves"
			} else if !p.selected(m, s.Spec.Selector) {
				continue
			}
			if s.Spec.ClusterIP != corev1.ClusterIPNone {
				g.connect(g.someone(clientsInside), arrowData, g.nodes[m.node].id, "")
			}
			for _, port := range s.Spec.Ports {
				g.connect(g.nodes[m.node].id, arrowData, g.listener(p, port), strconv.Itoa(int(port.Port))+suffix)
			}
		}
		if secret := s.Annotations["service.beta.openshift.io/serving-cert-secret-name"]; secret != "" {
			g.connect(g.nodes[m.node].id, arrowUse, g.made(m, secret), "signed by the service CA")
		}
	}
	return nil
}

// selected tells whether a selector of m's means the pod.
func (p pod) selected(m *member, selector map[string]string) bool {
	if len(selector) == 0 || p.namespace != m.namespace {
		return false
	}
	for key, value := range selector {
		if p.labels[key] != value {
			return false
		}
	}
	return true
}

// listener is where a Service's port leads: the listener, or the workload that
// declares none.
func (g *graph) listener(p pod, port corev1.ServicePort) string {
	want := port.TargetPort
	if want == (intstr.IntOrString{}) {
		want = intstr.FromInt32(port.Port)
	}
	for _, c := range p.ports() {
		if want.Type == intstr.String && c.Name == want.StrVal || want.Type == intstr.Int && c.ContainerPort == want.IntVal {
			return p.listeners[c.ContainerPort]
		}
	}
	return g.nodes[p.node].id
}

// ports are the ports that the pod's containers declare.
func (p pod) ports() []corev1.ContainerPort {
	var all []corev1.ContainerPort
	for _, c := range p.spec.Containers {
		all = append(all, c.Ports...)
	}
	return all
}

// sorted are the keys of a map, in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
