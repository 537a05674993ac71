package lint_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/openshift"
	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

// rendered is a deployment as it is printed, with everything in it genuine but
// the passwords.
func rendered(t *testing.T, cfg config.Config) string {
	t.Helper()
	var pairs [3]certs.Pair
	for i, name := range []string{"good", "other", "client"} {
		cert, key := pair(t, name)
		pairs[i] = certs.Pair{Cert: []byte(cert), Key: []byte(key)}
	}
	b, err := files.Render(cfg, files.Secrets{
		CA: pairs[0].Cert, Cert: pairs[0].Cert, Key: pairs[0].Key,
		Passwd: []byte("admin:$7$1000$c2FsdA==$aGFzaA==\n"), Health: []byte("-u health\n"),
		Bridge: files.Bridge{CA: pairs[1].Cert, Server: pairs[1], Client: pairs[2], Agent: pairs[2]}, Guard: []byte("-u guard\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	objs, err := openshift.Objects(cfg, b, openshift.Options{
		Image:      "registry.example/mosquitto@sha256:" + strings.Repeat("0", 64),
		AgentImage: "registry.example/mosquitto-agent@sha256:" + strings.Repeat("1", 64),
		Version:    cfg.Mosquitto + ".2", TraefikPorts: cfg.Deploy.Ingress == config.IngressTraefik,
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := openshift.WriteYAML(&out, objs); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// ours are configurations of every profile, for both series of the broker.
func ours() map[string]config.Config {
	all := map[string]config.Config{}
	for _, series := range []string{"2.0", "2.1"} {
		c := config.Default()
		c.Mosquitto, c.Deploy.Namespace = series, "iot"
		all["openshift "+series] = c
		c.Deploy.Profile, c.Deploy.Storage.Size = config.ProfileLoadBalancer, "1Gi"
		all["loadbalancer "+series] = c
		for _, ingress := range []string{config.IngressLoadBalancer, config.IngressTraefik, config.IngressRoute} {
			c.Deploy.Profile, c.Deploy.Ingress, c.Deploy.Host = config.ProfileHA, ingress, "mqtt.example.com"
			all["ha "+ingress+" "+series] = c
		}
	}
	return all
}

func codes(t *testing.T, manifest string) []string {
	t.Helper()
	findings, err := lint.Run([]lint.Input{{Name: "rendered.yaml", Data: []byte(manifest)}}, lint.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range findings {
		found = append(found, f.String())
	}
	return found
}

// TestOurDeployments raises no false alarm on what is rendered.
func TestOurDeployments(t *testing.T) {
	for name, cfg := range ours() {
		if found := codes(t, rendered(t, cfg)); len(found) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(found, "\n"))
		}
	}
}

// TestSpoilt finds what is put into our own output, so that its silence there
// isn't blindness.
func TestSpoilt(t *testing.T) {
	for _, s := range []struct{ name, old, new, code string }{
		{"ha loadbalancer 2.0", "maxSurge: 0", "maxSurge: 1", "MQ403"},
		{"ha loadbalancer 2.0", "topologyKey: kubernetes.io/hostname", "topologyKey: hostname", "MQ402"},
		{"ha traefik 2.1", "allow_anonymous false", "allow_anonymous true", "MQ102"},
		{"ha traefik 2.1", "allow_anonymous false", "allow_anonymous true", "MQ106"},
		{"ha route 2.0", "listener 1883", "listener 883", "MQ103"},
		{"ha route 2.1", "defaultMode: 288", "defaultMode: 420", "MQ204"},
		{"ha route 2.1", lintSymlinks, "MOSQUITTO_ALLOW", "MQ302"},
		{"loadbalancer 2.1", lintSymlinks, "MOSQUITTO_ALLOW", "MQ302"},
		{"loadbalancer 2.0", "mountPath: /mosquitto/data", "mountPath: /data", "MQ304"},
		{"loadbalancer 2.0", "mountPath: /mosquitto/data", "mountPath: /data", "MQ305"},
		{"loadbalancer 2.0", "autosave_interval 30", "autosave_interval 3000", "MQ306"},
		{"loadbalancer 2.0", "type: Recreate", "type: RollingUpdate", "MQ303"},
		{"openshift 2.0", "livenessProbe:", "livenesProbe:", "MQ601"},
		{"openshift 2.0", "targetPort: mqtts\n  selector", "targetPort: 9999\n  selector", "MQ502"},
		{"openshift 2.0", "targetPort: mqtts\n  selector", "targetPort: 1883\n  selector", "MQ501"},
		{"openshift 2.1", "- \"1883\"", "- \"1999\"", "MQ503"},
		{"openshift 2.1", "persistence_location ", "persistence_lokation ", "MQ107"},
		{"openshift 2.0", "@sha256:" + strings.Repeat("0", 64), ":latest", "MQ604"},
		{"openshift 2.0", "mountPath: /mosquitto/config", "mountPath: /mosquitto/config/mosquitto.conf\n          subPath: mosquitto.conf", "MQ301"},
	} {
		manifest := rendered(t, ours()[s.name])
		spoilt := strings.ReplaceAll(manifest, s.old, s.new)
		if spoilt == manifest {
			t.Errorf("%s holds no %q", s.name, s.old)
			continue
		}
		found := codes(t, spoilt)
		if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, " "+s.code+" ") }) {
			t.Errorf("%s with %q: no %s, but %q", s.name, s.new, s.code, found)
		}
	}
}

const lintSymlinks = "MOSQUITTO_UNSAFE_ALLOW_SYMLINKS"

// TestPEMFiles judges certificates and keys that are named themselves.
func TestPEMFiles(t *testing.T) {
	cert, _ := pair(t, "nameless")
	_, key := pair(t, "other")
	inputs := []lint.Input{{Name: "open/server.crt", Data: []byte(cert)}, {Name: "open/server.key", Data: []byte(key)}}
	read := func(name string) ([]byte, fs.FileMode, error) {
		for _, in := range inputs {
			if in.Name == name {
				return in.Data, 0o644, nil
			}
		}
		return nil, 0, fs.ErrNotExist
	}
	findings, err := lint.Run(inputs, lint.Options{Now: now, ReadFile: read})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range findings {
		found = append(found, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Code))
	}
	if got, want := strings.Join(found, ", "), "open/server.crt:1 MQ201, open/server.crt:1 MQ203, open/server.key:1 MQ205"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}
