package openshift

import (
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

// networkPolicy lets in the pods of the namespace, and the router to the
// listeners with TLS. The probes come from within the pod.
func (d objects) networkPolicy() *networkingv1.NetworkPolicy {
	ports := func(some func(config.Listener) bool) (all []networkingv1.NetworkPolicyPort) {
		for _, l := range d.cfg.Listeners {
			if some(l) {
				all = append(all, networkingv1.NetworkPolicyPort{
					Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(int32(l.Port))),
				})
			}
		}
		return all
	}
	p := &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: d.meta(d.cfg.Name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: d.selector()},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From:  []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}},
				Ports: ports(func(config.Listener) bool { return true }),
			}},
		},
	}
	if _, routed := d.routed(); routed {
		rule := networkingv1.NetworkPolicyIngressRule{Ports: ports(func(l config.Listener) bool { return l.TLS })}
		for _, labels := range routerLabels {
			rule.From = append(rule.From, networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: labels}})
		}
		p.Spec.Ingress = append(p.Spec.Ingress, rule)
	}
	return p
}
