package openshift_test

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/openshift"
	"github.com/mosqbuild/mosqbuild/openshift/crd"
)

// What Pod Security's restricted profile and restricted-v2 ask for.
func TestRestricted(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		brokers(t, cfg, objects(t, cfg), func(_ string, d broker, c corev1.Container) {
			pod := d.template.Spec
			if d.replicas != 1 || !d.one {
				t.Errorf("%d replicas, one at a time: %v", d.replicas, d.one)
			}
			user, group := cfg.Deploy.IDs()
			if s := pod.SecurityContext; !*s.RunAsNonRoot || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
				number(s.RunAsUser) != user || number(s.RunAsGroup) != group || number(s.FSGroup) != group || (group != 0) != (s.FSGroupChangePolicy != nil) {
				t.Errorf("the pod's security context is %+v", s)
			}
			if s := c.SecurityContext; *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.RunAsUser != nil ||
				!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) != 0 {
				t.Errorf("the container's security context is %+v", s)
			}
			if *pod.AutomountServiceAccountToken || *pod.EnableServiceLinks || pod.HostNetwork || pod.HostPID || pod.HostIPC {
				t.Errorf("the pod gets more than it needs: %+v", pod)
			}
			memory, err := openshift.Memory(cfg)
			if err != nil || c.Image != image || c.Resources.Limits.Memory().String() != memory || c.Resources.Requests.Memory().String() != memory {
				t.Errorf("image %q, resources %v", c.Image, c.Resources)
			}
			var pull []string
			for _, s := range pod.ImagePullSecrets {
				pull = append(pull, s.Name)
			}
			if strings.Join(pull, " ") != cfg.Deploy.PullSecret {
				t.Errorf("pull secrets %q, want %q", pull, cfg.Deploy.PullSecret)
			}
		})
	})
}

// number is 0 for none.
func number(p *int64) int {
	if p == nil {
		return 0
	}
	return int(*p)
}

// Listeners, container ports, Services and the pods' labels agree.
func TestPorts(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		objs := objects(t, cfg)
		brokers(t, cfg, objs, func(role string, d broker, c corev1.Container) {
			want := map[string]int{}
			clients := map[string]int{} // those that a guard opens at others
			for _, l := range cfg.Listeners {
				if clients[l.Name] = l.Port; role == "" {
					want[l.Name] = l.Port
				}
			}
			if role == config.RolePrimary {
				want[config.BridgeListener] = config.PortBridge
			}
			if role != "" {
				want[config.GuardListener], want[config.HealthListener] = config.PortGuard, config.PortHealth
				for _, l := range cfg.Direct() {
					want[l.Name] = l.Port
				}
			}
			ofContainer, ofServices := map[string]int{}, map[string]int{}
			for _, p := range c.Ports {
				ofContainer[p.Name] = int(p.ContainerPort)
			}
			for _, s := range find[corev1.Service](objs) {
				if s.Spec.Selector == nil && role != "" && s.Name == cfg.Name {
					// It leads where the controllers say.
					for _, p := range s.Spec.Ports {
						if p.TargetPort != (intstr.IntOrString{}) || int(p.Port) != clients[p.Name] {
							t.Errorf("Service %s leads to %s by %+v", s.Name, p.TargetPort.String(), p)
						}
					}
					continue
				}
				if !selects(s.Spec.Selector, d.template.Labels) {
					continue
				}
				if !selects(d.selector, d.template.Labels) || len(d.selector) != len(s.Spec.Selector) {
					t.Errorf("Service %s selects %v, the pods have %v", s.Name, s.Spec.Selector, d.selector)
				}
				for _, p := range s.Spec.Ports {
					ofServices[p.TargetPort.StrVal] = want[p.TargetPort.StrVal]
					outside := int(p.Port)
					if outside != cmp.Or(want[p.Name], clients[p.Name]) && (s.Name != cfg.Broker(role) || !slices.Contains([]int{2883, 3883}, outside)) {
						t.Errorf("Service %s has %s at %d", s.Name, p.Name, outside)
					}
				}
			}
			if !maps.Equal(ofContainer, want) || !maps.Equal(ofServices, want) {
				t.Errorf("the container of %s has ports %v, the Services %v, the listeners %v", d.name, ofContainer, ofServices, want)
			}
		})
	})
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// Every path that mosquitto.conf and the probes name is mounted, readable by
// the group and by nobody else.
func TestMounts(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		objs := objects(t, cfg)
		brokers(t, cfg, objs, func(role string, d broker, c corev1.Container) {
			mounted := map[string]bool{}
			for _, m := range c.VolumeMounts {
				i := slices.IndexFunc(d.template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
				if i < 0 || m.SubPath != "" {
					t.Fatalf("mount %+v", m)
				}
				for _, key := range keys(t, objs, d.template.Spec.Volumes[i]) {
					mounted[path.Join(m.MountPath, key)] = true
				}
				if writable := m.MountPath == config.DataDir || m.MountPath == config.AgentStateDir; m.ReadOnly == writable {
					t.Errorf("%s: read-only is %v", m.MountPath, m.ReadOnly)
				}
			}
			want := []string{config.AuthDir + "/" + config.OptionsFile, config.ConfigDir + "/" + config.ConfFile}
			for line := range strings.Lines(conf(t, objs, cfg.Broker(role))) {
				option, value, _ := strings.Cut(strings.TrimSpace(line), " ")
				if strings.HasPrefix(value, "/") && option != "persistence_location" && option != "global_plugin" {
					want = append(want, value)
				}
				saves := slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == config.DataDir })
				if option == "persistence" && !saves { // a guard looks there even if nothing is saved
					t.Errorf("persistence is %s, and a volume for it there: %v", value, saves)
				}
			}
			if cfg.HasTLS() {
				want = append(want, config.CertsDir+"/"+config.CAFile)
			}
			if role != "" {
				want = append(want, config.AgentConfigDir+"/"+config.AgentFile, config.AuthDir+"/"+config.GuardFile,
					"/var/run/secrets/kubernetes.io/serviceaccount/token", config.AgentTLS(config.CAFile), config.AgentTLS(config.CertFile), config.AgentTLS(config.KeyFile))
			}
			for _, p := range want {
				if !mounted[p] {
					t.Errorf("%s isn't mounted; these are: %v", p, slices.Sorted(maps.Keys(mounted)))
				}
			}
			maps.DeleteFunc(mounted, func(p string, _ bool) bool { return slices.Contains(want, p) })
			if len(mounted) > 0 {
				t.Errorf("nobody names %v", slices.Sorted(maps.Keys(mounted)))
			}
		})
	})
}

// conf is the mosquitto.conf in the ConfigMap of that name.
func conf(t *testing.T, objs []runtime.Object, name string) string {
	t.Helper()
	for _, m := range find[corev1.ConfigMap](objs) {
		if m.Name == name {
			return m.Data[config.ConfFile]
		}
	}
	t.Fatalf("no ConfigMap %q", name)
	return ""
}

// agentKeys are the files of one that an agent reads.
func agentKeys(v corev1.Volume) (all []string) {
	for _, s := range v.Projected.Sources {
		switch {
		case s.Secret != nil:
			for _, i := range s.Secret.Items {
				all = append(all, i.Path)
			}
		case s.ServiceAccountToken != nil:
			all = append(all, s.ServiceAccountToken.Path)
		case s.ConfigMap != nil && s.ConfigMap.Items == nil:
			all = append(all, config.AgentFile)
		}
	}
	return all
}

// keys are the files that a volume holds.
func keys(t *testing.T, objs []runtime.Object, v corev1.Volume) []string {
	t.Helper()
	switch {
	case v.Secret != nil && *v.Secret.DefaultMode == 0o440:
		for _, s := range find[corev1.Secret](objs) {
			if s.Name == v.Secret.SecretName {
				return slices.Collect(maps.Keys(s.Data))
			}
		}
		for _, c := range find[crd.Certificate](objs) {
			if c.Spec.SecretName == v.Secret.SecretName {
				return []string{config.CAFile, config.CertFile, config.KeyFile}
			}
		}
	case v.Projected != nil && v.Name != "certs" && *v.Projected.DefaultMode == 0o440:
		return agentKeys(v)
	case v.Projected != nil && *v.Projected.DefaultMode == 0o440:
		secret, ca := v.Projected.Sources[0].Secret.Name, v.Projected.Sources[1].ConfigMap
		for _, s := range find[corev1.Service](objs) {
			for _, m := range find[corev1.ConfigMap](objs) {
				if s.Annotations["service.beta.openshift.io/serving-cert-secret-name"] == secret && m.Name == ca.Name &&
					m.Annotations["service.beta.openshift.io/inject-cabundle"] == "true" && ca.Items[0].Key == "service-ca.crt" {
					return []string{ca.Items[0].Path, config.CertFile, config.KeyFile}
				}
			}
		}
	case v.PersistentVolumeClaim != nil:
		for _, c := range find[corev1.PersistentVolumeClaim](objs) {
			if c.Name == v.PersistentVolumeClaim.ClaimName {
				return nil
			}
		}
	case v.ConfigMap != nil && *v.ConfigMap.DefaultMode == 0o440:
		for _, m := range find[corev1.ConfigMap](objs) {
			if m.Name == v.ConfigMap.Name {
				return slices.Collect(maps.Keys(m.Data))
			}
		}
	case v.EmptyDir != nil && v.EmptyDir.SizeLimit.String() == "64Mi",
		v.EmptyDir != nil && v.EmptyDir.SizeLimit.String() == "1Mi" && v.EmptyDir.Medium == corev1.StorageMediumMemory:
		return nil
	}
	t.Errorf("volume %+v has no source", v)
	return nil
}

func TestProbes(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		brokers(t, cfg, objects(t, cfg), func(_ string, _ broker, c corev1.Container) {
			if !slices.Contains(c.Env, corev1.EnvVar{Name: "XDG_CONFIG_HOME", Value: config.AuthDir}) {
				t.Errorf("the client won't find its login: %v", c.Env)
			}
			if !slices.Contains(c.Env, corev1.EnvVar{Name: "MOSQUITTO_UNSAFE_ALLOW_SYMLINKS", Value: "1"}) {
				t.Errorf("a broker of version 2.1 won't read what is mounted: %v", c.Env)
			}
			if cfg.Deploy.Profile == config.ProfileHA {
				healthProbed(t, c)
				return
			}
			for _, p := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
				args := p.Exec.Command
				port, err := strconv.Atoi(value(args, "-p"))
				i := slices.IndexFunc(cfg.Listeners, func(l config.Listener) bool { return l.Port == port })
				if err != nil || i < 0 {
					t.Fatalf("no listener at %q", value(args, "-p"))
				}
				if tls := slices.Contains(args, "--cafile"); tls != cfg.Listeners[i].TLS {
					t.Errorf("TLS is %v in %q", tls, args)
				}
				if insecure := slices.Contains(args, "--insecure"); insecure != (cfg.TLS.Source == config.SourceFiles || cfg.TLS.Source == config.SourceServiceCA) {
					t.Errorf("the name is checked: %v, with certificates from %q", !insecure, cfg.TLS.Source)
				}
				wait, err := strconv.Atoi(value(args, "-W"))
				if err != nil || int(p.TimeoutSeconds) <= wait || p.PeriodSeconds < 1 {
					t.Errorf("the client gives up after %d s, the kubelet after %d s", wait, p.TimeoutSeconds)
				}
				if value(args, "-t") != config.HealthTopic || args[0] != config.ClientPath || value(args, "-C") != "1" {
					t.Errorf("the probe is %q", args)
				}
			}
			if g := c.LivenessProbe.TerminationGracePeriodSeconds; g == nil || *g > 5 {
				t.Errorf("a stuck broker is given %v s to end", g)
			}
		})
	})
}

// healthProbed checks the probes of a container with an agent in it.
func healthProbed(t *testing.T, c corev1.Container) {
	t.Helper()
	if c.StartupProbe != nil || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/livez" {
		t.Errorf("the probes are %+v", c)
	}
	for _, p := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe} {
		if !slices.ContainsFunc(c.Ports, func(port corev1.ContainerPort) bool {
			return port.Name == p.HTTPGet.Port.StrVal && port.ContainerPort == config.PortHealth
		}) {
			t.Errorf("no port %v", p.HTTPGet.Port)
		}
	}
	if g := c.LivenessProbe.TerminationGracePeriodSeconds; g == nil || *g > 5 {
		t.Errorf("a stuck guard is given %v s to end", g)
	}
}

// value is what follows a flag.
func value(args []string, flag string) string {
	if i := slices.Index(args, flag); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// A pod is replaced when a file changes, and then only.
func TestChecksum(t *testing.T) {
	sum := func(b files.Bundle) string {
		objs, err := openshift.Objects(config.Default(), b, openshift.Options{Image: image})
		if err != nil {
			t.Fatal(err)
		}
		d := find[appsv1.Deployment](objs)[0]
		return d.Spec.Template.Annotations["checksum/files"]
	}
	good := bundle(t, config.Default())
	before := sum(good)
	if len(before) != 64 || sum(bundle(t, config.Default())) != before {
		t.Errorf("the checksum is %q, and then another", before)
	}
	for i := range good.Defaults {
		b := bundle(t, config.Default())
		b.Defaults[i].Data = append([]byte("x"), b.Defaults[i].Data...)
		if sum(b) == before {
			t.Errorf("a change of %s goes unnoticed", b.Defaults[i].Path)
		}
	}
}
