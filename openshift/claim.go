package openshift

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (d objects) claimName() string { return d.cfg.Broker(d.role) + "-data" }

// claim asks for the volume of what the broker saves; nil where there is none.
func (d objects) claim() (*corev1.PersistentVolumeClaim, error) {
	want := d.cfg.Deploy.Volume()
	if want == "" {
		return nil, nil
	}
	size, err := resource.ParseQuantity(want)
	if err != nil {
		return nil, fmt.Errorf("reading the size %q: %w", want, err)
	}
	c := &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: d.meta(d.claimName()),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
		},
	}
	if class := d.cfg.Deploy.Storage.Class; class != "" {
		c.Spec.StorageClassName = &class
	}
	return c, nil
}
