package openshift

import (
	"maps"
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mosqbuild/mosqbuild/config"
)

// service leads to listeners of the broker.
func (d objects) service(name string, listeners []config.Listener) *corev1.Service {
	s := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: d.as("").meta(name),
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: d.selector()},
	}
	for _, l := range listeners {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
			Name: l.Name, Port: int32(l.Port), TargetPort: intstr.FromString(l.Name), Protocol: corev1.ProtocolTCP,
		})
	}
	return s
}

// split is a Service of the listeners without TLS, and one of those with. Two,
// so that plain MQTT can be kept from others, or dropped, without touching what
// the Route leads to.
func (d objects) split() []Object {
	var plain, tls []config.Listener
	for _, l := range d.cfg.Listeners {
		if l.TLS {
			tls = append(tls, l)
		} else {
			plain = append(plain, l)
		}
	}
	var all []Object
	if len(plain) > 0 {
		all = append(all, d.service(d.cfg.Name, plain))
	}
	if len(tls) > 0 {
		s := d.service(tlsName(d.cfg.Name), tls)
		if d.cfg.TLS.Source == config.SourceServiceCA {
			s.Annotations = map[string]string{annotationServingCert: tlsName(d.cfg.Name)}
		}
		all = append(all, s)
	}
	return all
}

// What load balancers in clusters of one's own read: Cilium's LB IPAM, and
// external-dns.
const (
	annotationAddress = "lbipam.cilium.io/ips"
	annotationHost    = "external-dns.alpha.kubernetes.io/hostname"
)

// balanced gives s an address outside the cluster. The policy is Cluster: with
// Local, Cilium may announce the address from a node that has no broker and
// drops what it gets, and others only follow a broker to another node when
// their health checks do. The price is that the broker's log shows a node's
// address in place of the client's.
func (d objects) balanced(s *corev1.Service) *corev1.Service {
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
	annotations := map[string]string{}
	if address := d.cfg.Deploy.LoadBalancer.Address; address != "" {
		annotations[annotationAddress] = address
		if ip := net.ParseIP(address); ip != nil && ip.To4() == nil { // else a cluster of both families gives it IPv4 alone
			s.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyPreferDualStack)
			s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol}
		}
	}
	if host := d.cfg.Deploy.Host; host != "" {
		annotations[annotationHost] = host
	}
	maps.Copy(annotations, d.cfg.Deploy.LoadBalancer.Annotations)
	if len(annotations) > 0 {
		s.Annotations = annotations
	}
	return s
}

// brokerPort is the port at which the Service of one broker of a pair has the
// plain listener.
func brokerPort(role string) int {
	if role == config.RolePrimary {
		return 2883
	}
	return 3883
}

// pairServices are the clients' Service, one that leads to each broker for good,
// and one by which agents find each broker's pod, ready or not.
//
// The first has no selector and no targetPorts: they say who serves, and where,
// and are the controllers'. Rendered, they would switch clients back whenever the
// objects are applied again. It leads there whether the pod is ready or not: after
// an outage of the API server the controller manager may take nodes that are well
// for lost, and their pods for not ready, for a minute.
func (d objects) pairServices() []Object {
	clients := d.service(d.cfg.Name, d.cfg.Listeners)
	clients.Spec.Selector = nil
	clients.Spec.PublishNotReadyAddresses = true
	for i := range clients.Spec.Ports {
		clients.Spec.Ports[i].TargetPort = intstr.IntOrString{}
	}
	if d.cfg.Deploy.Ingress == config.IngressLoadBalancer {
		clients = d.balanced(clients)
	}
	all := []Object{clients}
	for _, role := range []string{config.RolePrimary, config.RoleSecondary} {
		one := d.as(role)
		all = append(all, one.brokerService(), one.guardService())
	}
	return all
}

// brokerService leads to one broker for good, by its direct listeners.
func (d objects) brokerService() *corev1.Service {
	s := d.service(d.cfg.Broker(d.role), d.cfg.Listeners)
	plain, _ := d.cfg.Listener(false)
	for i, l := range d.cfg.Direct() {
		port := &s.Spec.Ports[i]
		port.TargetPort = intstr.FromString(l.Name)
		if port.Name == plain.Name {
			port.Port = int32(brokerPort(d.role))
		}
	}
	return s
}

// guardService leads to the pod of one broker whatever its state: agents find
// its address by the name, and connect to the pod itself.
func (d objects) guardService() *corev1.Service {
	all := append(slices.Clip(d.listeners()),
		config.Listener{Name: config.GuardListener, Port: config.PortGuard},
		config.Listener{Name: config.HealthListener, Port: config.PortHealth})
	s := d.service(d.cfg.Agent(nil).Guards(d.role), all)
	s.Spec.ClusterIP = corev1.ClusterIPNone
	s.Spec.PublishNotReadyAddresses = true
	return s
}
