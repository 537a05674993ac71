package openshift

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mosqbuild/mosqbuild/config"
)

const (
	container = "mosquitto"
	// annotationChecksum is on the pod; see checksum.
	annotationChecksum = "checksum/files"
	// dataSize bounds what the broker saves; beyond it the pod is evicted.
	dataSize = "64Mi"
	// cpuRequest suits a broker at rest. There is no CPU limit: being
	// throttled makes it late, and a probe that is late restarts it.
	cpuRequest = "10m"
	// graceSeconds is plenty for a broker that ends within milliseconds.
	graceSeconds = 10
)

// deployment runs one broker. Recreate, for two at once would share the
// Service while knowing nothing of each other's messages.
func (d objects) deployment() (*appsv1.Deployment, error) {
	pod, err := d.pod()
	if err != nil {
		return nil, err
	}
	labels := d.meta("").Labels
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: d.meta(d.cfg.Name),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Selector: &metav1.LabelSelector{MatchLabels: d.selector()},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      labels,
					Annotations: map[string]string{annotationChecksum: checksum(d.volumes)},
				},
				Spec: pod,
			},
		},
	}, nil
}

// pod names no uid, gid or fsGroup: restricted-v2 assigns them, and elsewhere
// the image's own numeric user does.
func (d objects) pod() (corev1.PodSpec, error) {
	broker, err := d.container()
	if err != nil {
		return corev1.PodSpec{}, err
	}
	size, err := resource.ParseQuantity(dataSize)
	if err != nil {
		return corev1.PodSpec{}, err
	}
	pod := corev1.PodSpec{
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(int64(graceSeconds)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &size},
		}}},
	}
	broker.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: config.DataDir}}
	for _, v := range d.volumes {
		pod.Volumes = append(pod.Volumes, v.volume())
		broker.VolumeMounts = append(broker.VolumeMounts, v.mount())
	}
	if secret := d.cfg.Deploy.PullSecret; secret != "" {
		pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: secret}}
	}
	pod.Containers = []corev1.Container{broker}
	return pod, nil
}

// container is the broker's, without its mounts.
func (d objects) container() (corev1.Container, error) {
	memory, err := resource.ParseQuantity(d.cfg.Deploy.Memory)
	if err != nil {
		return corev1.Container{}, fmt.Errorf("reading the memory limit %q: %w", d.cfg.Deploy.Memory, err)
	}
	cpu, err := resource.ParseQuantity(cpuRequest)
	if err != nil {
		return corev1.Container{}, err
	}
	c := corev1.Container{
		Name:  container,
		Image: d.options.Image,
		Env: []corev1.EnvVar{
			// mosquitto_sub, in the probes, finds its login there.
			{Name: "XDG_CONFIG_HOME", Value: config.AuthDir},
			// From 2.1 on the broker reads no password file or ACL through a
			// symbolic link, which every file of a Secret or ConfigMap is.
			{Name: "MOSQUITTO_UNSAFE_ALLOW_SYMLINKS", Value: "1"},
		},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: cpu, corev1.ResourceMemory: memory},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: memory},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			ReadOnlyRootFilesystem:   new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	for _, l := range d.cfg.Listeners {
		c.Ports = append(c.Ports, corev1.ContainerPort{Name: l.Name, ContainerPort: int32(l.Port), Protocol: corev1.ProtocolTCP})
	}
	c.StartupProbe, c.ReadinessProbe, c.LivenessProbe = d.probes()
	return c, nil
}
