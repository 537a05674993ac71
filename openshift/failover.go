package openshift

import (
	"path"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mosqbuild/mosqbuild/config"
)

// controllers watch both brokers and switch the clients' Service. Each is on a
// node of its own, of which two are most. A new one of a rollout finds no further
// node that is free, so an old one goes first.
func (d objects) controllers() *appsv1.Deployment {
	labels := d.agentLabels()
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: d.agentMeta(d.failoverName()),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(d.cfg.Failover.Controllers)),
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxSurge: new(intstr.FromInt32(0)), MaxUnavailable: new(intstr.FromInt32(1)),
				},
			},
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      d.agentMeta("").Labels,
					Annotations: map[string]string{annotationChecksum: checksum(d.agent)},
				},
				Spec: d.controllerPod(),
			},
		},
	}
}

func (d objects) controllerPod() corev1.PodSpec {
	c := corev1.Container{
		Name:            agentContainer,
		Image:           d.options.AgentImage,
		Command:         agentArgs(config.AgentPath, "failover"),
		Env:             agentEnv(agentMemorySoft),
		Ports:           agentPorts(),
		Resources:       agentResources(),
		SecurityContext: restricted(),
		VolumeMounts:    agentMounts(),
	}
	c.ReadinessProbe, c.LivenessProbe = healthProbes()
	login := corev1.SecretProjection{
		LocalObjectReference: corev1.LocalObjectReference{Name: authName(d.cfg.Name)},
		Items:                []corev1.KeyToPath{{Key: config.OptionsFile, Path: path.Join(config.AgentLoginDir, config.OptionsFile)}},
	}
	pod := corev1.PodSpec{
		ServiceAccountName:            d.failoverName(),
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(int64(graceSeconds)),
		SecurityContext:               d.security(),
		Affinity:                      apart(d.agentLabels()),
		Tolerations:                   tolerations(new(int64(lostSeconds))),
		Volumes:                       []corev1.Volume{d.settingsVolume(corev1.VolumeProjection{Secret: &login}), token()},
	}
	if l := d.cfg.Agent(nil).Listener; l.TLS { // the only way to ask a broker
		ca := corev1.SecretProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: tlsName(d.cfg.Name)},
			Items:                []corev1.KeyToPath{{Key: config.CAFile, Path: config.CAFile}},
		}
		pod.Volumes = append(pod.Volumes, projected("certs", corev1.VolumeProjection{Secret: &ca}))
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "certs", MountPath: config.CertsDir, ReadOnly: true})
	}
	if secret := d.cfg.Deploy.PullSecret; secret != "" {
		pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: secret}}
	}
	pod.Containers = []corev1.Container{c}
	return pod
}

// controllersService leads to every controller, whatever its state: each sends
// its vote to all.
func (d objects) controllersService() *corev1.Service {
	name := d.cfg.Agent(nil).Controllers()
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: d.agentMeta(name),
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: corev1.ClusterIPNone, PublishNotReadyAddresses: true,
			Selector: d.agentLabels(),
			Ports: []corev1.ServicePort{
				{Name: config.GuardListener, Port: config.PortGuard, TargetPort: intstr.FromString(config.GuardListener), Protocol: corev1.ProtocolTCP},
				{Name: config.HealthListener, Port: config.PortHealth, TargetPort: intstr.FromString(config.HealthListener), Protocol: corev1.ProtocolTCP},
			},
		},
	}
}

// controllersBudget has one controller away at a time: two are most.
func (d objects) controllersBudget() *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: d.agentMeta(d.failoverName()),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             new(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: d.agentLabels()},
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}

// lease is what the controllers elect their leader by. It is rendered without
// content, which is theirs to keep; that it is there saves them the right to
// create one, which no name could bound.
func (d objects) lease() *coordinationv1.Lease {
	return &coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: coordinationv1.SchemeGroupVersion.String(), Kind: "Lease"},
		ObjectMeta: d.agentMeta(d.failoverName()),
	}
}
