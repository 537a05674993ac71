package openshift

import (
	"fmt"
	"slices"

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
	// The CPU's request suits a broker at rest. The limit is what its one
	// thread can use at most: less would throttle it, and a probe that is late
	// restarts it.
	cpuRequest = "10m"
	cpuLimit   = "1"
	// Ephemeral storage is the log, and what is saved without a volume.
	diskRequest = "16Mi"
	diskLimit   = "256Mi"
	// graceSeconds is plenty for a broker that ends within milliseconds.
	graceSeconds = 10
)

// workload runs one broker. Two at once would share the Service while knowing
// nothing of each other's messages, and could not both mount a volume of a single
// node.
//
// A lone broker is a Deployment, recreated: a StatefulSet's pod comes back from a
// lost node by hand only. A deleted pod is replaced at once, but the old one ends at
// once, too. That of a pair may serve on for failover.leave, and on a lost node it
// may serve for as long as that is lost: only a StatefulSet has at most one pod.
func (d objects) workload() (Object, error) {
	pod, err := d.pod()
	if err != nil {
		return nil, err
	}
	meta, selector := d.meta(d.cfg.Broker(d.role)), &metav1.LabelSelector{MatchLabels: d.selector()}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      d.meta("").Labels,
			Annotations: map[string]string{annotationChecksum: checksum(append(slices.Clip(d.volumes), d.agent...))},
		},
		Spec: pod,
	}
	if d.pair() {
		return &appsv1.StatefulSet{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "StatefulSet"},
			ObjectMeta: meta,
			Spec: appsv1.StatefulSetSpec{
				Replicas: new(int32(1)), ServiceName: d.cfg.Agent(nil).Guards(d.role), Selector: selector, Template: template,
				// A pod that never gets ready doesn't keep its mended successor waiting,
				// but where the gate MaxUnavailableStatefulSet (beta, off) is on.
				PodManagementPolicy: appsv1.ParallelPodManagement,
				UpdateStrategy:      appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
			},
		}, nil
	}
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)), Selector: selector, Template: template,
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
		},
	}, nil
}

// container is the broker's, without its mounts.
func (d objects) container() (corev1.Container, error) {
	memory, err := d.memory()
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
			Requests: resources(cpuRequest, memory, diskRequest),
			Limits:   resources(cpuLimit, memory, diskLimit),
		},
		SecurityContext: restricted(),
	}
	for _, l := range d.listeners() {
		c.Ports = append(c.Ports, corev1.ContainerPort{Name: l.Name, ContainerPort: int32(l.Port), Protocol: corev1.ProtocolTCP})
	}
	c.StartupProbe, c.ReadinessProbe, c.LivenessProbe = d.probes()
	return c, nil
}

// restricted is what the restricted profile lets a container have: nothing.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// memory is what the broker's container may take.
func (d objects) memory() (resource.Quantity, error) {
	q, err := resource.ParseQuantity(d.cfg.Deploy.Memory)
	if err != nil {
		return q, fmt.Errorf("reading the memory limit %q: %w", d.cfg.Deploy.Memory, err)
	}
	if d.pair() {
		q.Add(resource.MustParse(guardMemory))
	}
	return q, nil
}

// listeners are the ports that the broker always opens.
func (d objects) listeners() []config.Listener {
	if !d.pair() {
		return d.cfg.Listeners
	}
	// Where it listens for clients depends on the run.
	if d.role != config.RolePrimary {
		return d.cfg.Direct()
	}
	return append(d.cfg.Direct(), config.Listener{Name: config.BridgeListener, Port: config.PortBridge, TLS: true})
}

// resources of fixed quantities, but for memory.
func resources(cpu string, memory resource.Quantity, disk string) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse(cpu),
		corev1.ResourceMemory:           memory,
		corev1.ResourceEphemeralStorage: resource.MustParse(disk),
	}
}
