package cluster_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// matrixNamespace enforces the restricted profile; what is rendered names it.
const matrixNamespace = "matrix"

// variant is one way to configure a deployment.
type variant struct{ profile, mosquitto, tls, deploy string }

func (v variant) name() string {
	return strings.Join(strings.Fields(v.profile+" "+v.mosquitto+" "+v.tls+" "+v.deploy), " ")
}

func (v variant) config() string {
	return fmt.Sprintf("mosquitto: %q\ntls: {%s}\ndeploy: {profile: %s, namespace: %s, %s}\n", v.mosquitto, v.tls, v.profile, matrixNamespace, v.deploy)
}

// variants are every profile with every option that changes its objects.
func variants() []variant {
	options := map[string][]string{
		"openshift":    {"", "host: mqtt.example.com", "pullSecret: pull, storage: {size: 1Gi}"},
		"loadbalancer": {"", "host: mqtt.example.com, loadBalancer: {address: 192.0.2.20, annotations: {a.example/b: c}}", "user: 1000, group: 1000, storage: {size: 2Gi, class: fast}"},
		"ha":           {"", "ingress: traefik, host: mqtt.example.com", "ingress: route, host: mqtt.example.com", "storage: {size: 1Gi}"},
	}
	var all []variant
	for _, profile := range []string{"openshift", "loadbalancer", "ha"} {
		for _, deploy := range options[profile] {
			all = append(all, variant{profile, "2.0", "", deploy}, variant{profile, "2.1", "source: cert-manager, issuer: ClusterIssuer/ca", deploy})
		}
	}
	return append(all, variant{"openshift", "2.0", "source: service-ca", ""})
}

// Every object of every variant, in every encoding, is one that the API server
// takes under strict validation, and that violates no restriction.
func TestEveryObjectIsValid(t *testing.T) {
	c := server(t)
	if err := c.Namespace(t.Context(), matrixNamespace, 0); err != nil {
		t.Fatal(err)
	}
	for _, v := range variants() {
		t.Run(v.name(), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "mosqbuild.yaml"), []byte(v.config()), 0o644); err != nil {
				t.Fatal(err)
			}
			render := func(args ...string) string {
				return mosqbuild(t, dir, append([]string{"render", "--quiet", "--image", image}, args...)...)
			}
			yaml := render()
			want := accepted(t, c, yaml)
			unspoken(t, dir, "outside of Secrets", withoutSecrets(t, yaml))
			if got := accepted(t, c, render("-o", "json")); !reflect.DeepEqual(got, want) {
				t.Errorf("as JSON %v, as YAML %v", got, want)
			}
			render("-o", "kustomize:deploy")
			base := kubectl(t, c, "kustomize", filepath.Join(dir, "deploy", "base"))
			if got := accepted(t, c, base); !reflect.DeepEqual(got, want) {
				t.Errorf("from kustomize %v, as YAML %v", got, want)
			}
			if v.tls == "" && v.profile != "ha" {
				accepted(t, c, render("-o", "template"))
			}
			if lint := mosqbuild(t, dir, "lint", write(t, dir, "all.yaml", yaml)); lint != "" {
				t.Errorf("lint: %s", lint)
			}
		})
	}
}

// The judge of the test above does say no.
func TestInvalidObjectsAreRefused(t *testing.T) {
	c := server(t)
	if err := c.Namespace(t.Context(), matrixNamespace, 0); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	good := mosqbuild(t, dir, "render", "--quiet", "--image", image)
	accepted(t, c, good)
	for what, change := range map[string][2]string{
		"unknown field":         {"readOnlyRootFilesystem:", "readOnlyRootFilesystems:"},
		"restricted violated":   {"allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"},
		"Route's termination":   {"termination: passthrough", "termination: pass"},
		"NetworkPolicy's types": {"policyTypes:\n  - Ingress", "policyTypes:\n  - Incoming"},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Errorf("%s: there is no %q to spoil", what, change[0])
		} else if out, err := tried(t, c, bad); err == nil {
			t.Errorf("%s: accepted: %s", what, out)
		}
	}
}

// tried has the API server try objects.
func tried(t *testing.T, c *cluster.Cluster, objects string) (string, error) {
	return c.Kubectl(t.Context(), objects, "apply", "--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "--namespace", matrixNamespace, "-o", "json", "-f", "-")
}

// accepted has the API server try objects, and returns what they come to
// there: spec and data by kind and name.
func accepted(t *testing.T, c *cluster.Cluster, objects string) map[string]any {
	t.Helper()
	out, err := tried(t, c, objects)
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) < 2 {
		list.Items = append(list.Items, map[string]any{})
		if err := json.Unmarshal([]byte(out), &list.Items[0]); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]any{}
	for _, o := range list.Items {
		name := "?"
		if meta, ok := o["metadata"].(map[string]any); ok {
			name = fmt.Sprint(meta["name"])
		}
		// The server's own additions differ from try to try.
		for _, field := range []string{"clusterIP", "clusterIPs"} {
			if spec, ok := o["spec"].(map[string]any); ok {
				delete(spec, field)
			}
		}
		all[fmt.Sprint(o["kind"], "/", name)] = []any{o["spec"], o["data"], o["rules"]}
	}
	return all
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
