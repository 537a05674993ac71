package crd

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// IngressRouteTCP is a router of Traefik (traefik.io/v1alpha1) for TCP.
type IngressRouteTCP struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              IngressRouteTCPSpec `json:"spec"`
}

var _ runtime.Object = (*IngressRouteTCP)(nil)

// DeepCopyObject returns a copy that shares nothing with r.
func (r *IngressRouteTCP) DeepCopyObject() runtime.Object {
	out := *r
	r.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.EntryPoints = slices.Clone(r.Spec.EntryPoints)
	out.Spec.Routes = slices.Clone(r.Spec.Routes)
	for i, rule := range out.Spec.Routes {
		out.Spec.Routes[i].Services = slices.Clone(rule.Services)
	}
	if r.Spec.TLS != nil {
		out.Spec.TLS = new(*r.Spec.TLS)
	}
	return &out
}

// IngressRouteTCPSpec leads from entry points to Services.
type IngressRouteTCPSpec struct {
	EntryPoints []string   `json:"entryPoints,omitempty"`
	Routes      []RouteTCP `json:"routes"`
	TLS         *TLSTCP    `json:"tls,omitempty"`
}

// RouteTCP is a rule and where it leads.
type RouteTCP struct {
	Match    string       `json:"match"`
	Services []ServiceTCP `json:"services,omitempty"`
}

// ServiceTCP is a Service; with NativeLB, its own address in place of its pods'.
type ServiceTCP struct {
	Name     string `json:"name"`
	Port     int    `json:"port"`
	NativeLB bool   `json:"nativeLB,omitempty"`
}

// TLSTCP says who ends TLS: with Passthrough, what is behind.
type TLSTCP struct {
	Passthrough bool `json:"passthrough,omitempty"`
}
