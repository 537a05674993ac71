package openshift_test

import (
	"bytes"
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"reflect"

	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/openshift"
)

var update = flag.Bool("update", false, "write the golden files anew")

const image = "registry.example/mosquitto@sha256:0000000000000000000000000000000000000000000000000000000000000000"

// secrets are stand-ins: nothing reads them but the test.
var secrets = files.Secrets{
	CA: []byte("certificate of the CA\n"), Cert: []byte("server certificate\n"), Key: []byte("server key\n"),
	Passwd: []byte("admin:a hash\n"), Health: []byte("-u health\n-P a password\n"),
}

// deployments are the configurations of the golden files.
func deployments() map[string]config.Config {
	full := config.Default()
	full.Name = "site"
	full.Deploy = config.Deploy{Namespace: "telemetry", Host: "mqtt.example.com", PullSecret: "quay", Memory: "128Mi"}
	full.Users = append(full.Users, config.User{Name: "sensor", ACL: []string{"write measured/#"}})
	plain := config.Default()
	plain.Listeners, plain.TLS = plain.Listeners[:1], config.TLS{KeyType: plain.TLS.KeyType}
	tls := config.Default()
	tls.Listeners = []config.Listener{{Name: "mqtts", Port: 8883, TLS: true}, {Name: "devices", Port: 8884, TLS: true}}
	foreign := tls
	foreign.TLS.Source = config.SourceFiles
	return map[string]config.Config{"default": config.Default(), "full": full, "plain": plain, "tls": tls, "foreign": foreign}
}

// bundle renders a deployment's files; plain ones have no certificates.
func bundle(t *testing.T, cfg config.Config) files.Bundle {
	t.Helper()
	s := secrets
	if _, tls := cfg.Listener(true); !tls {
		s.CA, s.Cert, s.Key = nil, nil, nil
	}
	b, err := files.Render(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func objects(t *testing.T, cfg config.Config) []runtime.Object {
	t.Helper()
	objs, err := openshift.Objects(cfg, bundle(t, cfg), openshift.Options{Image: image, Version: "2.0.22"})
	if err != nil {
		t.Fatal(err)
	}
	return objs
}

func render(t *testing.T, cfg config.Config) []byte { return write(t, objects(t, cfg)) }

func write(t *testing.T, objs []runtime.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := openshift.WriteYAML(&out, objs); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// each calls f for every deployment.
func each(t *testing.T, f func(t *testing.T, name string, cfg config.Config)) {
	for name, cfg := range deployments() {
		t.Run(name, func(t *testing.T) { f(t, name, cfg) })
	}
}

func TestGolden(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg config.Config) {
		b := bundle(t, cfg)
		for i, f := range b.Rendered { // their text is another package's matter
			b.Rendered[i].Data = []byte("the content of " + f.Path + "\n")
		}
		objs, err := openshift.Objects(cfg, b, openshift.Options{Image: image, Version: "2.0.22"})
		if err != nil {
			t.Fatal(err)
		}
		got := write(t, objs)
		path := filepath.Join("testdata", name+".golden.yaml")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("it differs from %s (see the change with: go test ./openshift -update; git diff):\n%s", path, got)
		}
		if !bytes.Equal(render(t, cfg), render(t, cfg)) {
			t.Error("rendered twice, it differs")
		}
	})
}

// Every document, read strictly into its Go type, is the object it came from.
func TestStrictDecoding(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		objs := objects(t, cfg)
		documents := strings.Split(string(render(t, cfg)), "---\n")
		if len(documents) != len(objs) {
			t.Fatalf("%d documents of %d objects", len(documents), len(objs))
		}
		for i, doc := range documents {
			got := reflect.New(reflect.TypeOf(objs[i]).Elem()).Interface()
			if err := yaml.UnmarshalStrict([]byte(doc), got); err != nil {
				t.Errorf("reading strictly: %v\n%s", err, doc)
			}
			if !equal(t, got, objs[i]) {
				t.Errorf("read back, it differs:\n%s", doc)
			}
			for _, noise := range []string{"creationTimestamp", "status:"} {
				if strings.Contains(doc, noise) {
					t.Errorf("%s is the cluster's to fill in:\n%s", noise, doc)
				}
			}
		}
	})
}

// equal compares as JSON: a quantity keeps the text that it was read from.
func equal(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := yaml.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}

// Nothing secret stands outside a Secret, in clear or in base64.
func TestSecretsStayInSecrets(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		found := 0
		for _, doc := range strings.Split(string(render(t, cfg)), "---\n") {
			for _, secret := range [][]byte{secrets.Key, secrets.Passwd, secrets.Health} {
				holds := strings.Contains(doc, strings.TrimSpace(string(secret))) ||
					strings.Contains(doc, base64.StdEncoding.EncodeToString(secret))
				if holds && !strings.Contains(doc, "\nkind: Secret\n") {
					t.Errorf("%q stands outside a Secret:\n%s", secret, doc)
				}
				if holds {
					found++
				}
			}
		}
		if want := 3; found != want && len(cfg.TLS.Source) > 0 || found == 0 {
			t.Errorf("%d secrets found at all, want %d", found, want)
		}
	})
}

func TestNamespaceEverywhere(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		docs := strings.Split(string(render(t, cfg)), "---\n")
		want := len(docs)
		if cfg.Deploy.Namespace == "" {
			want = 0
		}
		if got := strings.Count(strings.Join(docs, ""), "\n  namespace: "+cfg.Deploy.Namespace); got != want {
			t.Errorf("%d of %d objects have the namespace %q", got, len(docs), cfg.Deploy.Namespace)
		}
	})
}

func TestRefusedNames(t *testing.T) {
	cfg := config.Default()
	cfg.Name = "Broker"
	cfg.Deploy = config.Deploy{Namespace: "a.b", Host: "MQTT_1", PullSecret: "-", Memory: "64Mi"}
	cfg.Listeners[0].Name = "much-too-long-a-name"
	b := files.Bundle{Rendered: []files.File{{Path: "/elsewhere/file"}, {Path: "/mosquitto/config/acl", Data: []byte("\xff")}}}
	_, err := openshift.Objects(cfg, b, openshift.Options{Version: "2.0 beta"})
	if err == nil {
		t.Fatal("it was rendered")
	}
	for _, want := range []string{`"Broker-tls"`, `"Broker-auth"`, `"a.b"`, `"MQTT_1"`, `"-"`, `"much-too-long-a-name"`,
		`"/elsewhere/file"`, "UTF-8", "no image", `"2.0 beta"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word on %s in:\n%v", want, err)
		}
	}
	cfg = config.Default()
	cfg.Deploy.Memory = "lots"
	if _, err := openshift.Objects(cfg, files.Bundle{}, openshift.Options{Image: image}); err == nil || !strings.Contains(err.Error(), `"lots"`) {
		t.Errorf("a memory limit of lots: %v", err)
	}
}

// find returns the objects of a type.
func find[T any](objs []runtime.Object) []*T {
	var found []*T
	for _, o := range objs {
		if x, ok := any(o).(*T); ok {
			found = append(found, x)
		}
	}
	return found
}

func deployment(t *testing.T, objs []runtime.Object) (*appsv1.Deployment, corev1.Container) {
	t.Helper()
	ds := find[appsv1.Deployment](objs)
	if len(ds) != 1 || len(ds[0].Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("%d Deployments", len(ds))
	}
	return ds[0], ds[0].Spec.Template.Spec.Containers[0]
}

func TestRoute(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		objs := objects(t, cfg)
		l, tls := cfg.Listener(true)
		routes := find[routev1.Route](objs)
		if !tls {
			if len(routes) != 0 {
				t.Error("a Route to nothing")
			}
			return
		}
		if len(routes) != 1 {
			t.Fatalf("%d Routes", len(routes))
		}
		r := routes[0]
		if r.Spec.Host != cfg.Deploy.Host || r.Spec.Port.TargetPort.StrVal != l.Name || r.Spec.TLS.Termination != routev1.TLSTerminationPassthrough {
			t.Errorf("the Route is %+v", r.Spec)
		}
		if r.Annotations["haproxy.router.openshift.io/timeout-tunnel"] != "1h" {
			t.Errorf("the Route's annotations are %v", r.Annotations)
		}
		for _, s := range find[corev1.Service](objs) {
			if s.Name == r.Spec.To.Name && s.Spec.Ports[0].Name == l.Name {
				return
			}
		}
		t.Errorf("no Service %q with a port %q", r.Spec.To.Name, l.Name)
	})
}
