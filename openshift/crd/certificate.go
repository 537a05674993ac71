package crd

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Certificate has cert-manager (cert-manager.io/v1) keep a Secret with a
// certificate and its key.
type Certificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              CertificateSpec `json:"spec"`
}

var _ runtime.Object = (*Certificate)(nil)

// DeepCopyObject returns a copy that shares nothing with c.
func (c *Certificate) DeepCopyObject() runtime.Object {
	out := *c
	c.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.DNSNames = slices.Clone(c.Spec.DNSNames)
	out.Spec.IPAddresses = slices.Clone(c.Spec.IPAddresses)
	out.Spec.Usages = slices.Clone(c.Spec.Usages)
	return &out
}

// CertificateSpec says what is issued, by whom and into which Secret.
type CertificateSpec struct {
	SecretName  string     `json:"secretName"`
	DNSNames    []string   `json:"dnsNames,omitempty"`
	IPAddresses []string   `json:"ipAddresses,omitempty"`
	Usages      []string   `json:"usages,omitempty"`
	PrivateKey  PrivateKey `json:"privateKey"`
	IssuerRef   IssuerRef  `json:"issuerRef"`
}

// PrivateKey says what key a Certificate gets, and when a new one.
type PrivateKey struct {
	Algorithm      string `json:"algorithm,omitempty"`
	Size           int    `json:"size,omitempty"` // bits
	Encoding       string `json:"encoding,omitempty"`
	RotationPolicy string `json:"rotationPolicy,omitempty"`
}

// IssuerRef names an Issuer or a ClusterIssuer.
type IssuerRef struct {
	Group string `json:"group,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Name  string `json:"name"`
}
