package openshift

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OpenShift's service CA issues a certificate for the Service annotated so,
// and writes its own certificate into the ConfigMap annotated so.
const (
	annotationServingCert = "service.beta.openshift.io/serving-cert-secret-name"
	annotationInjectCA    = "service.beta.openshift.io/inject-cabundle"
	serviceCAKey          = "service-ca.crt"
)

// caName is the name of the ConfigMap with the CA's certificate.
func caName(name string) string { return name + "-ca" }

// serviceCA is where clients in the cluster find the CA. It is rendered
// without data, which are the cluster's to keep.
func (d objects) serviceCA() *corev1.ConfigMap {
	m := &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: d.meta(caName(d.cfg.Name)),
	}
	m.Annotations = map[string]string{annotationInjectCA: "true"}
	return m
}
