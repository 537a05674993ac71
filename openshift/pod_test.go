package openshift_test

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// What Pod Security's restricted profile and restricted-v2 ask for.
func TestRestricted(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		d, c := deployment(t, objects(t, cfg))
		pod := d.Spec.Template.Spec
		if *d.Spec.Replicas != 1 || d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
			t.Errorf("%d replicas, strategy %q", *d.Spec.Replicas, d.Spec.Strategy.Type)
		}
		if s := pod.SecurityContext; !*s.RunAsNonRoot || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
			s.RunAsUser != nil || s.RunAsGroup != nil || s.FSGroup != nil {
			t.Errorf("the pod's security context is %+v", s)
		}
		if s := c.SecurityContext; *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.RunAsUser != nil ||
			!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) != 0 {
			t.Errorf("the container's security context is %+v", s)
		}
		if *pod.AutomountServiceAccountToken || *pod.EnableServiceLinks || pod.HostNetwork || pod.HostPID || pod.HostIPC {
			t.Errorf("the pod gets more than it needs: %+v", pod)
		}
		if c.Image != image || c.Resources.Limits.Memory().String() != cfg.Deploy.Memory || c.Resources.Requests.Memory().String() != cfg.Deploy.Memory {
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
}

// Listeners, container ports, Services and the pod's labels agree.
func TestPorts(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		objs := objects(t, cfg)
		d, c := deployment(t, objs)
		want := map[string]int{}
		for _, l := range cfg.Listeners {
			want[l.Name] = l.Port
		}
		ofContainer, ofServices := map[string]int{}, map[string]int{}
		for _, p := range c.Ports {
			ofContainer[p.Name] = int(p.ContainerPort)
		}
		for _, s := range find[corev1.Service](objs) {
			for _, p := range s.Spec.Ports {
				ofServices[p.TargetPort.StrVal] = int(p.Port)
			}
			for k, v := range s.Spec.Selector {
				if d.Spec.Template.Labels[k] != v || d.Spec.Selector.MatchLabels[k] != v {
					t.Errorf("Service %s selects %s=%s; the pod has %v", s.Name, k, v, d.Spec.Template.Labels)
				}
			}
		}
		if !maps.Equal(ofContainer, want) || !maps.Equal(ofServices, want) {
			t.Errorf("the container has ports %v, the Services %v, the listeners %v", ofContainer, ofServices, want)
		}
	})
}

// Every path that mosquitto.conf and the probes name is mounted, readable by
// the group and by nobody else.
func TestMounts(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		objs := objects(t, cfg)
		d, c := deployment(t, objs)
		mounted := map[string]bool{}
		for _, m := range c.VolumeMounts {
			i := slices.IndexFunc(d.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
			if i < 0 || m.SubPath != "" {
				t.Fatalf("mount %+v", m)
			}
			for _, key := range keys(t, objs, d.Spec.Template.Spec.Volumes[i]) {
				mounted[path.Join(m.MountPath, key)] = true
			}
			if writable := m.MountPath == config.DataDir; m.ReadOnly == writable {
				t.Errorf("%s: read-only is %v", m.MountPath, m.ReadOnly)
			}
		}
		want := []string{config.AuthDir + "/" + config.OptionsFile, config.ConfigDir + "/" + config.ConfFile}
		conf := find[corev1.ConfigMap](objs)[0].Data[config.ConfFile]
		for line := range strings.Lines(conf) {
			option, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if strings.HasPrefix(value, "/") && option != "persistence_location" {
				want = append(want, value)
			}
		}
		if _, tls := cfg.Listener(true); tls {
			want = append(want, config.CertsDir+"/"+config.CAFile)
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
	case v.ConfigMap != nil && *v.ConfigMap.DefaultMode == 0o440:
		for _, m := range find[corev1.ConfigMap](objs) {
			if m.Name == v.ConfigMap.Name {
				return slices.Collect(maps.Keys(m.Data))
			}
		}
	case v.EmptyDir != nil && v.EmptyDir.SizeLimit.String() == "64Mi":
		return nil
	}
	t.Errorf("volume %+v has no source", v)
	return nil
}

func TestProbes(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		_, c := deployment(t, objects(t, cfg))
		if !slices.Contains(c.Env, corev1.EnvVar{Name: "XDG_CONFIG_HOME", Value: config.AuthDir}) {
			t.Errorf("the client won't find its login: %v", c.Env)
		}
		if !slices.Contains(c.Env, corev1.EnvVar{Name: "MOSQUITTO_UNSAFE_ALLOW_SYMLINKS", Value: "1"}) {
			t.Errorf("a broker of version 2.1 won't read what is mounted: %v", c.Env)
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
			if insecure := slices.Contains(args, "--insecure"); insecure != (cfg.TLS.Source == config.SourceFiles) {
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
		d, _ := deployment(t, objs)
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
