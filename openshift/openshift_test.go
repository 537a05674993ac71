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

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/openshift"
)

var update = flag.Bool("update", false, "write the golden files anew")

// each calls f for every deployment.
func each(t *testing.T, f func(t *testing.T, name string, cfg config.Config)) {
	for name, cfg := range deployments() {
		t.Run(name, func(t *testing.T) { f(t, name, cfg) })
	}
}

func TestGolden(t *testing.T) {
	each(t, func(t *testing.T, name string, cfg config.Config) {
		b := bundle(t, cfg)
		for _, all := range [][]files.File{b.Rendered, b.Primary[:min(1, len(b.Primary))], b.Secondary[:min(1, len(b.Secondary))]} {
			for i, f := range all { // their text is another package's matter
				all[i].Data = []byte("the content of " + f.Path + "\n")
			}
		}
		objs, err := openshift.Objects(cfg, b, options(cfg))
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
			for _, secret := range [][]byte{secrets.Key, secrets.Passwd, secrets.Health, secrets.Guard, secrets.Bridge.Agent.Key, secrets.Bridge.Server.Key, secrets.Bridge.Client.Key} {
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
		want := 2 // logins
		if cfg.HasTLS() && !cfg.TLS.InCluster() {
			want++
		}
		if cfg.Deploy.Profile == config.ProfileHA {
			want += 4
		}
		if found != want {
			t.Errorf("%d secrets found at all, want %d", found, want)
		}
	})
}

func TestNamespaceEverywhere(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		for _, doc := range strings.Split(string(render(t, cfg)), "---\n") {
			var o metav1.PartialObjectMetadata
			if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
				t.Fatal(err)
			}
			want := cfg.Deploy.Namespace
			switch o.Kind {
			case "Namespace":
				want = ""
			case "HelmChartConfig": // k3s looks for it there alone
				want = "kube-system"
			}
			if o.Namespace != want {
				t.Errorf("%s %s has the namespace %q, want %q", o.Kind, o.Name, o.Namespace, want)
			}
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

// broker is what has one broker's pods.
type broker struct {
	name     string
	replicas int32
	selector map[string]string
	template corev1.PodTemplateSpec
	one      bool // a pod is replaced only once it has gone, in a rollout at least
}

// brokers calls f for each broker.
func brokers(t *testing.T, cfg config.Config, objs []runtime.Object, f func(role string, b broker, c corev1.Container)) {
	t.Helper()
	roles := []string{""}
	var all []broker
	if cfg.Deploy.Profile == config.ProfileHA {
		roles = []string{config.RolePrimary, config.RoleSecondary}
		for _, s := range find[appsv1.StatefulSet](objs) {
			all = append(all, broker{s.Name, *s.Spec.Replicas, s.Spec.Selector.MatchLabels, s.Spec.Template, true})
		}
	} else {
		for _, d := range find[appsv1.Deployment](objs) {
			all = append(all, broker{d.Name, *d.Spec.Replicas, d.Spec.Selector.MatchLabels, d.Spec.Template, d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType})
		}
	}
	if len(all) != len(roles) {
		t.Fatalf("%d brokers", len(all))
	}
	for i, b := range all {
		if len(b.template.Spec.Containers) != 1 || b.name != cfg.Broker(roles[i]) || b.template.Labels[config.LabelRole] != roles[i] {
			t.Fatalf("the broker %q, labels %v, %d containers", b.name, b.template.Labels, len(b.template.Spec.Containers))
		}
		f(roles[i], b, b.template.Spec.Containers[0])
	}
}
