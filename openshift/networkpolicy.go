package openshift

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mosqbuild/mosqbuild/config"
)

// routerLabels are on the namespaces that OpenShift's routers work in: the
// second is the newer one, which OVN-Kubernetes knows.
var routerLabels = []map[string]string{
	{"network.openshift.io/policy-group": "ingress"},
	{"policy-group.network.openshift.io/ingress": ""},
}

// networkPolicy lets in whom the profile means to serve, and none to a port that
// is no listener's. The probes come from within the pod, or from its node, which
// no policy keeps out; the controllers' come as clients may.
func (d objects) networkPolicy() *networkingv1.NetworkPolicy {
	namespace := []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}
	every := d.policyPorts(d.cfg.Listeners...)
	var rules []networkingv1.NetworkPolicyIngressRule
	if d.cfg.Deploy.Routed() {
		rules = append(rules, networkingv1.NetworkPolicyIngressRule{From: namespace, Ports: every})
		if all := d.routable(); all != nil {
			rules = append(rules, networkingv1.NetworkPolicyIngressRule{From: routers(), Ports: d.policyPorts(all...)})
		}
	} else { // a load balancer or Traefik: clients are anywhere
		rules = append(rules, networkingv1.NetworkPolicyIngressRule{Ports: every})
	}
	if d.pair() {
		brokers := []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: d.selector()}}}
		rules = append(rules, networkingv1.NetworkPolicyIngressRule{From: brokers, Ports: policyPort(config.PortBridge)})
		rules = append(rules, d.agentRules()...)
	}
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: d.meta(d.cfg.Name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: d.selector()},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     rules,
		},
	}
}

// agentRules let agents of the same pair talk, and anybody read their metrics,
// in which there is nothing secret: who collects them is in another namespace.
func (d objects) agentRules() []networkingv1.NetworkPolicyIngressRule {
	var agents []networkingv1.NetworkPolicyPeer
	for _, labels := range []map[string]string{d.as("").selector(), d.agentLabels()} {
		agents = append(agents, networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: labels}})
	}
	return []networkingv1.NetworkPolicyIngressRule{
		{From: agents, Ports: policyPort(config.PortGuard)},
		{Ports: policyPort(config.PortHealth)},
	}
}

// controllersPolicy lets nobody in but agents, and those who read metrics.
func (d objects) controllersPolicy() *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: d.agentMeta(d.failoverName()),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: d.agentLabels()},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     d.agentRules(),
		},
	}
}

// routers are the pods of OpenShift's routers.
func routers() (all []networkingv1.NetworkPolicyPeer) {
	for _, labels := range routerLabels {
		all = append(all, networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: labels}})
	}
	return all
}

// policyPorts are where the broker listens for the clients of these listeners: in a
// pair, at a port of each slot, and directly.
func (d objects) policyPorts(listeners ...config.Listener) (all []networkingv1.NetworkPolicyPort) {
	for _, l := range listeners {
		if !d.pair() {
			all = append(all, policyPort(l.Port)...)
			continue
		}
		i := slices.Index(d.cfg.Listeners, l)
		slots := policyPort(config.ClientPort(i, 0))
		slots[0].EndPort = new(int32(config.ClientPort(i, config.Slots-1)))
		all = append(append(all, slots...), policyPort(l.Direct().Port)...)
	}
	return all
}

func policyPort(port int) []networkingv1.NetworkPolicyPort {
	return []networkingv1.NetworkPolicyPort{{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(int32(port)))}}
}
