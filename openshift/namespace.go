package openshift

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// namespace lets restricted pods run in it, and no others.
func (d objects) namespace() *corev1.Namespace {
	n := &corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   d.cfg.Deploy.Namespace,
			Labels: map[string]string{"app.kubernetes.io/managed-by": "mosqbuild"},
		},
	}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		n.Labels["pod-security.kubernetes.io/"+mode] = "restricted"
	}
	return n
}
