package openshift

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// service is the Service of the listeners with TLS, or of those without; nil
// where there are none. Two, so that plain MQTT can be kept from others, or
// dropped, without touching what the Route leads to.
func (d objects) service(tls bool) *corev1.Service {
	name := d.cfg.Name
	if tls {
		name = tlsName(name)
	}
	s := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: d.meta(name),
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: d.selector()},
	}
	for _, l := range d.cfg.Listeners {
		if l.TLS == tls {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
				Name: l.Name, Port: int32(l.Port), TargetPort: intstr.FromString(l.Name), Protocol: corev1.ProtocolTCP,
			})
		}
	}
	if len(s.Spec.Ports) == 0 {
		return nil
	}
	return s
}
