package crd

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// HelmChartConfig adds values to a chart that k3s (helm.cattle.io/v1)
// installs.
type HelmChartConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              HelmChartConfigSpec `json:"spec"`
}

var _ runtime.Object = (*HelmChartConfig)(nil)

// DeepCopyObject returns a copy that shares nothing with c.
func (c *HelmChartConfig) DeepCopyObject() runtime.Object {
	out := *c
	c.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	return &out
}

// HelmChartConfigSpec has the values, as the text of a YAML document.
type HelmChartConfigSpec struct {
	ValuesContent string `json:"valuesContent,omitempty"`
}
