package openshift

import (
	"encoding/json"
	"path"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
)

// Volumes and containers of the agents.
const (
	agentContainer  = "agent"
	programVolume   = "agent"          // the program, in a broker's pod
	stateVolume     = "agent-state"    // what a guard knows when it starts again
	settingsVolume  = "agent-settings" // what it reads
	tokenVolume     = "token"
	agentNameLabel  = "mosqagent"
	agentDisk       = "64Mi"
	agentDiskLow    = "8Mi"
	agentState      = "1Mi"
	agentMemory     = "64Mi"
	agentMemorySoft = "48MiB"
	// guardMemory is what a broker's container gets besides deploy.memory, for
	// its guard: two sets of 100,000 retained topics, side by side, as sums.
	guardMemory     = "96Mi"
	guardMemorySoft = "72MiB"
	// tokenSeconds is what the API server gives pods anyway: an hour, and some.
	tokenSeconds = 3607
	// rootCA is the ConfigMap with the API server's CA, in every namespace.
	rootCA   = "kube-root-ca.crt"
	tokenDir = "/var/run/secrets/kubernetes.io/serviceaccount"
)

func (d objects) agentName() string { return d.cfg.Name + "-agent" }

// agentLabels tell the controllers' pods from others. The brokers' labels are
// none of them: what rules over the brokers would count controllers as such.
func (d objects) agentLabels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": agentNameLabel, "app.kubernetes.io/instance": d.cfg.Name}
}

// agentMeta is the metadata of an object of the agents'.
func (d objects) agentMeta(name string) metav1.ObjectMeta {
	labels := d.agentLabels()
	labels["app.kubernetes.io/component"] = "failover"
	labels["app.kubernetes.io/part-of"] = d.cfg.Name
	labels["app.kubernetes.io/managed-by"] = "mosqbuild"
	return metav1.ObjectMeta{Name: name, Namespace: d.cfg.Deploy.Namespace, Labels: labels}
}

// settings are the sources of what every agent reads: its settings, and the
// certificates that agents know each other by; and what they read of the
// brokers', which is rendered elsewhere.
func (d objects) settings(b files.Bundle) ([]volume, error) {
	if !d.pair() {
		return nil, nil
	}
	a := d.cfg.Agent(d.as("").selector())
	a.Namespace = "" // the pod's own, so that an overlay can choose another
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return nil, err
	}
	file := files.File{Path: path.Join(config.AgentConfigDir, config.AgentFile), Mode: 0o644, Data: append(text, '\n')}
	var others []files.File
	for _, f := range b.Defaults {
		if p := f.Path; p == path.Join(config.AuthDir, config.OptionsFile) || p == path.Join(config.CertsDir, config.CAFile) && a.Listener.TLS {
			others = append(others, f)
		}
	}
	return []volume{
		{made: true, files: others},
		{object: d.agentName(), kind: configMap, dir: config.AgentConfigDir, files: []files.File{file}},
		{object: d.agentName(), kind: corev1.SecretTypeTLS, dir: path.Dir(config.AgentTLS(config.CAFile)), files: b.Agent},
	}, nil
}

// settingsVolume lays the settings out in one volume; more are further sources.
func (d objects) settingsVolume(more ...corev1.VolumeProjection) corev1.Volume {
	tls := corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: d.agentName()}}
	for _, f := range []string{config.CAFile, config.CertFile, config.KeyFile} {
		tls.Items = append(tls.Items, corev1.KeyToPath{Key: f, Path: path.Join(config.AgentTLSDir, f)})
	}
	sources := []corev1.VolumeProjection{
		{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: d.agentName()}}},
		{Secret: &tls},
	}
	return projected(settingsVolume, append(sources, more...)...)
}

// token is what pods get that have a token mounted, but for one container: what
// else runs in the pod has no use for it.
func token() corev1.Volume {
	return projected(tokenVolume,
		corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: new(int64(tokenSeconds))}},
		corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
			LocalObjectReference: corev1.LocalObjectReference{Name: rootCA},
			Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
		}},
		corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
			Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"},
		}}}})
}

func projected(name string, sources ...corev1.VolumeProjection) corev1.Volume {
	mode := int32(modeMounted)
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{DefaultMode: &mode, Sources: sources},
	}}
}

// agentMounts are those of a container in which an agent runs.
func agentMounts() []corev1.VolumeMount {
	return []corev1.VolumeMount{
		{Name: settingsVolume, MountPath: config.AgentConfigDir, ReadOnly: true},
		{Name: tokenVolume, MountPath: tokenDir, ReadOnly: true},
	}
}

// agentEnv tells an agent where it runs, and how much memory it may take before
// it collects garbage harder: somewhat less than what would end it.
func agentEnv(memory string) []corev1.EnvVar {
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
	}
	return []corev1.EnvVar{
		field("POD_NAME", "metadata.name"), field("POD_NAMESPACE", "metadata.namespace"),
		{Name: "GOMEMLIMIT", Value: memory},
	}
}

// agentArgs is the command line of a subcommand of path.
func agentArgs(program, command string, more ...string) []string {
	return append([]string{program, command, "--config", path.Join(config.AgentConfigDir, config.AgentFile)}, more...)
}

// agentResources are those of a container that an agent has for itself.
func agentResources() corev1.ResourceRequirements {
	memory := resource.MustParse(agentMemory)
	return corev1.ResourceRequirements{
		Requests: resources(cpuRequest, memory, agentDiskLow),
		Limits:   resources(cpuLimit, memory, agentDisk),
	}
}

// installer copies the agent into the broker's pod, so that the broker's image
// needn't have it: the two change at different times.
func (d objects) installer() corev1.Container {
	return corev1.Container{
		Name:            agentContainer,
		Image:           d.options.AgentImage,
		Command:         []string{config.AgentPath, "install", config.AgentDir},
		Resources:       agentResources(),
		SecurityContext: restricted(),
		VolumeMounts:    []corev1.VolumeMount{{Name: programVolume, MountPath: config.AgentDir}},
	}
}

// guarded puts the broker of a pair under its guard: the guard is what the
// kubelet starts, and the broker its child, which it can hold down and kill at
// once.
func (d objects) guarded(pod *corev1.PodSpec) {
	if d.role == "" {
		return
	}
	size, state := resource.MustParse(agentDisk), resource.MustParse(agentState)
	pod.ServiceAccountName = d.brokerAccount()
	pod.InitContainers = []corev1.Container{d.installer()}
	pod.Tolerations = tolerations(nil)
	pod.Volumes = append(pod.Volumes,
		corev1.Volume{Name: programVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &size}}},
		// In memory: a guard mustn't wait for a disk, nor know what was before its node's last start.
		corev1.Volume{Name: stateVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: &state}}},
		d.settingsVolume(), token())
	c := &pod.Containers[0]
	c.Command = agentArgs(path.Join(config.AgentDir, path.Base(config.AgentPath)), "guard", "--role", d.role,
		"--", config.BrokerPath, "-c", path.Join(config.ConfigDir, config.ConfFile))
	c.Env = append(c.Env, agentEnv(guardMemorySoft)...)
	c.Ports = append(c.Ports, agentPorts()...)
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: programVolume, MountPath: config.AgentDir, ReadOnly: true},
		corev1.VolumeMount{Name: stateVolume, MountPath: config.AgentStateDir})
	c.VolumeMounts = append(c.VolumeMounts, agentMounts()...)
}

func agentPorts() []corev1.ContainerPort {
	return []corev1.ContainerPort{
		{Name: config.GuardListener, ContainerPort: config.PortGuard, Protocol: corev1.ProtocolTCP},
		{Name: config.HealthListener, ContainerPort: config.PortHealth, Protocol: corev1.ProtocolTCP},
	}
}

// lostSeconds is how long a controller stays bound to a node that is gone: it
// keeps nothing, and another node may have room for it.
const lostSeconds = 30

// tolerations say how long a pod stays bound to a node that is gone, for ever
// without seconds. A broker's is: it may still run there and serve whoever is cut
// off with it, and a second one under the same name would serve all others. It
// is replaced once its Node, or the pod, is deleted, by whoever knows that it
// has ended.
func tolerations(seconds *int64) (all []corev1.Toleration) {
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		all = append(all, corev1.Toleration{
			Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: seconds,
		})
	}
	return all
}

// Memory returns the memory limit of the broker's container, as a Kubernetes
// quantity: deploy.memory, and what the guard needs under the profile ha.
func Memory(cfg config.Config) (string, error) {
	q, err := objects{cfg: cfg}.memory()
	return q.String(), err
}
