package openshift

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mosqbuild/mosqbuild/config"
)

const (
	dataVolume = "data"
	// dataSize bounds what the broker saves without a volume of its own;
	// beyond it the pod is evicted.
	dataSize = "64Mi"
)

func (d objects) pod() (corev1.PodSpec, error) {
	broker, err := d.container()
	if err != nil {
		return corev1.PodSpec{}, err
	}
	pod := corev1.PodSpec{
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(d.grace()),
		SecurityContext:               d.security(),
		Affinity:                      d.affinity(),
	}
	data, err := d.data()
	if err != nil {
		return corev1.PodSpec{}, err
	}
	pod.Volumes = []corev1.Volume{*data}
	broker.VolumeMounts = []corev1.VolumeMount{{Name: data.Name, MountPath: config.DataDir}}
	for _, v := range d.volumes {
		pod.Volumes = append(pod.Volumes, v.volume())
		broker.VolumeMounts = append(broker.VolumeMounts, v.mount())
	}
	if secret := d.cfg.Deploy.PullSecret; secret != "" {
		pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: secret}}
	}
	pod.Containers = []corev1.Container{broker}
	d.guarded(&pod)
	return pod, nil
}

// grace is how long the pod may take to end, in seconds. An active broker of a
// pair serves on until the other one has taken over: failover.leave, and then
// 15 s to save what it has and to end.
func (d objects) grace() int64 {
	if !d.pair() {
		return graceSeconds
	}
	return int64((d.cfg.Failover.Leave.Std() + 15*time.Second + time.Second - 1) / time.Second)
}

// security is the restricted profile's. Where it names no uid, gid or fsGroup,
// restricted-v2 assigns them.
func (d objects) security() *corev1.PodSecurityContext {
	s := &corev1.PodSecurityContext{
		RunAsNonRoot:   new(true),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	user, group := d.cfg.Deploy.IDs()
	if user != 0 {
		s.RunAsUser = new(int64(user))
	}
	if group != 0 {
		s.RunAsGroup, s.FSGroup = new(int64(group)), new(int64(group))
		// A large volume isn't gone through at each start.
		s.FSGroupChangePolicy = new(corev1.FSGroupChangeOnRootMismatch)
	}
	return s
}

// affinity keeps the brokers of a pair on different nodes, or a lost node would
// take both.
func (d objects) affinity() *corev1.Affinity {
	if d.role == "" {
		return nil
	}
	return apart(d.as("").selector())
}

// apart keeps pods with these labels on different nodes.
func apart(labels map[string]string) *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
			TopologyKey:   corev1.LabelHostname,
		}},
	}}
}

// data is the volume of what the broker saves. A pair's broker without a claim
// saves nothing, but its guard looks there, and the image's folder is root's.
func (d objects) data() (*corev1.Volume, error) {
	v := &corev1.Volume{Name: dataVolume}
	if d.cfg.Deploy.Volume() != "" {
		v.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: d.claimName()}
		return v, nil
	}
	size, err := resource.ParseQuantity(dataSize)
	if err != nil {
		return nil, err
	}
	v.EmptyDir = &corev1.EmptyDirVolumeSource{SizeLimit: &size}
	return v, nil
}
