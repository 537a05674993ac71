package openshift_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	imagev1 "github.com/openshift/api/image/v1"
	routev1 "github.com/openshift/api/route/v1"
	templatev1 "github.com/openshift/api/template/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/openshift"
)

var (
	stringReference = regexp.MustCompile(`\$\{([a-zA-Z0-9_]+?)\}`)
	otherReference  = regexp.MustCompile(`^\$\{\{([a-zA-Z0-9_]+)\}\}$`)
)

// process does what "oc process" is documented to do, and what its sources do:
// parameters are put into every string, keys included; a required one without
// value is an error; a namespace that is no parameter is dropped.
func process(t *testing.T, template *templatev1.Template, params map[string]string) []map[string]any {
	t.Helper()
	values := map[string]string{}
	for _, p := range template.Parameters {
		values[p.Name] = p.Value
		if given, ok := params[p.Name]; ok {
			values[p.Name] = given
		}
		if p.Required && values[p.Name] == "" {
			t.Fatalf("parameter %s is required and must be specified", p.Name)
		}
	}
	for name := range params {
		if _, known := values[name]; !known {
			t.Fatalf("unknown parameter %s", name)
		}
	}
	var out []map[string]any
	for _, raw := range template.Objects {
		var o map[string]any
		if err := json.Unmarshal(raw.Raw, &o); err != nil {
			t.Fatal(err)
		}
		meta := o["metadata"].(map[string]any)
		if ns, ok := meta["namespace"].(string); ok && !stringReference.MatchString(ns) {
			meta["namespace"] = ""
		}
		out = append(out, substitute(t, o, values).(map[string]any))
	}
	return out
}

func substitute(t *testing.T, v any, values map[string]string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			out[substitute(t, key, values).(string)] = substitute(t, value, values)
		}
		return out
	case []any:
		for i := range v {
			v[i] = substitute(t, v[i], values)
		}
	case string:
		if m := otherReference.FindStringSubmatch(v); m != nil {
			t.Fatalf("%s: no parameter here is other than a string", v)
		}
		for _, m := range stringReference.FindAllStringSubmatch(v, -1) {
			if value, known := values[m[1]]; known {
				v = strings.Replace(v, m[0], value, 1)
			}
		}
		return v
	}
	return v
}

// typed reads processed objects strictly into the Go types of like, less what a
// Template has on top.
func typed(t *testing.T, objects []map[string]any, like []runtime.Object) []runtime.Object {
	t.Helper()
	if objects[0]["kind"] != "ImageStream" || len(objects) != len(like)+1 {
		t.Fatalf("%d objects and a %v of %d", len(objects)-1, objects[0]["kind"], len(like))
	}
	var out []runtime.Object
	for i, o := range objects[1:] {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		object := reflect.New(reflect.TypeOf(like[i]).Elem()).Interface()
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if m, ok := object.(metav1.Object); ok && m.GetAnnotations()["image.openshift.io/triggers"] != "" {
			annotations := m.GetAnnotations()
			delete(annotations, "image.openshift.io/triggers")
			if len(annotations) == 0 {
				annotations = nil
			}
			m.SetAnnotations(annotations)
		}
		out = append(out, object.(runtime.Object))
	}
	return out
}

// readParameters reads lines as oc does, whose reader takes them apart at #,
// quotes and colons.
func readParameters(t *testing.T, file []byte) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(string(file)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || strings.ContainsAny(line, `#"':\ $`) {
			t.Fatalf("the line %q is read otherwise than meant", line)
		}
		found[name] = value
	}
	return found
}

func template(t *testing.T, cfg config.Config) (*templatev1.Template, map[string]string) {
	t.Helper()
	tpl, file, err := openshift.Template(objects(t, cfg), values(cfg))
	if err != nil {
		t.Fatal(err)
	}
	text := write(t, []runtime.Object{tpl})
	read := new(templatev1.Template)
	if err := yaml.UnmarshalStrict(text, read); err != nil {
		t.Fatal(err)
	}
	return read, readParameters(t, file)
}

// With its own defaults, and the parameter file, it is what the stream is.
func TestTemplateProcessedIsTheStream(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		tpl, params := template(t, cfg)
		want := objects(t, cfg)
		certified(want, cfg)
		got := typed(t, process(t, tpl, params), want)
		for i := range want {
			if !equal(t, got[i], want[i]) {
				t.Errorf("got\n%s\nwant\n%s", write(t, got[i:i+1]), write(t, want[i:i+1]))
			}
		}
	})
}

// With other values, it is what is rendered from them: no name is left behind,
// and nothing changes that only looks like one.
func TestTemplateWithOtherValues(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		tpl, params := template(t, cfg)
		other := cfg
		other.Name, other.Deploy.Memory = "other", "96Mi"
		changed := map[string]string{"NAME": "other", "MEMORY": values(other).Memory, "NAMESPACE": "elsewhere", "HOST": "mqtt.other.example",
			"PRIMARY_HOST": "mqtt-primary.other.example", "SECONDARY_HOST": "mqtt-secondary.other.example"}
		for _, p := range tpl.Parameters {
			value, known := changed[p.Name]
			if !known {
				continue
			}
			switch params[p.Name] = value; p.Name {
			case "NAMESPACE":
				other.Deploy.Namespace = value
			case "HOST":
				other.Deploy.Host = value
			}
		}
		want := objects(t, other)
		certified(want, cfg)
		got := typed(t, process(t, tpl, params), want)
		checksums(got)
		checksums(want)
		for i := range want {
			if !equal(t, got[i], want[i]) {
				t.Errorf("got\n%s\nwant\n%s", write(t, got[i:i+1]), write(t, want[i:i+1]))
			}
		}
	})
}

// With no host, HOST is the clients' Route's alone: of several that claim one host
// a router serves one.
func TestTemplateOfRoutesWithoutAHost(t *testing.T) {
	cfg := profiles()["ha-route"]
	cfg.Deploy.Host = ""
	tpl, params := template(t, cfg)
	params["HOST"] = "mqtt.apps.example.com"
	for _, r := range find[routev1.Route](typed(t, process(t, tpl, params), objects(t, cfg))) {
		if got := r.Spec.Host != ""; got != (r.Name == cfg.Name) {
			t.Errorf("the Route %s has the host %q", r.Name, r.Spec.Host)
		}
	}
}

// certified puts the name in the certificate of cfg's agents, which is in the
// parameters, into the agents' settings, as a Template has it.
func certified(objs []runtime.Object, cfg config.Config) {
	for _, m := range find[corev1.ConfigMap](objs) {
		first, rest, _ := strings.Cut(m.Data[config.AgentFile], ",\n")
		if rest != "" {
			m.Data[config.AgentFile] = fmt.Sprintf("%s,\n  \"certificate\": %q,\n%s", first, cfg.Name+"-agent", rest)
		}
	}
}

// checksums takes out what only a program can reckon, not a Template: the hash
// of files, some of which hold the names.
func checksums(objs []runtime.Object) {
	for _, d := range find[appsv1.Deployment](objs) {
		delete(d.Spec.Template.Annotations, "checksum/files")
	}
	for _, s := range find[appsv1.StatefulSet](objs) {
		delete(s.Spec.Template.Annotations, "checksum/files")
	}
}

func TestTemplateHoldsNoSecret(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		tpl, params := template(t, cfg)
		text := string(write(t, []runtime.Object{tpl}))
		for _, s := range find[corev1.Secret](objects(t, cfg)) {
			for key, value := range s.Data {
				encoded := base64.StdEncoding.EncodeToString(value)
				if strings.Contains(text, encoded) || strings.Contains(text, strings.TrimSpace(string(value))) {
					t.Errorf("%s of %s stands in the Template", key, s.Name)
				}
				if !slices.Contains(slices.Collect(maps.Values(params)), encoded) {
					t.Errorf("%s of %s is missing from the parameter file", key, s.Name)
				}
			}
		}
		for _, p := range tpl.Parameters {
			if _, apart := params[p.Name]; apart == (p.Value != "") && p.Name != "HOST" || p.Description == "" {
				t.Errorf("the parameter %+v", p)
			}
			if strings.Count(text, "${"+p.Name+"}") == 0 {
				t.Errorf("nothing uses %s", p.Name)
			}
		}
	})
}

func TestTemplateStream(t *testing.T) {
	cfg := deployments()["full"]
	tpl, params := template(t, cfg)
	processed := process(t, tpl, params)
	text, err := json.Marshal(processed[0])
	if err != nil {
		t.Fatal(err)
	}
	var stream imagev1.ImageStream
	if err := yaml.UnmarshalStrict(text, &stream); err != nil {
		t.Fatal(err)
	}
	if stream.Name != "site" || stream.Namespace != "telemetry" || stream.Spec.Tags[0].From.Name != image || bytes.Contains(text, []byte("null")) {
		t.Errorf("the ImageStream is %s", text)
	}
	for _, o := range processed {
		if o["kind"] != "Deployment" {
			continue
		}
		got := o["metadata"].(map[string]any)["annotations"].(map[string]any)["image.openshift.io/triggers"]
		want := `[{"from":{"kind":"ImageStreamTag","name":"site:current"},"fieldPath":"spec.template.spec.containers[?(@.name==\"mosquitto\")].image"}]`
		if got != want {
			t.Errorf("the trigger is %s", got)
		}
		return
	}
	t.Error("no Deployment")
}

func TestTemplateGolden(t *testing.T) {
	cfg := deployments()["full"]
	b := bundle(t, cfg)
	for i, f := range b.Rendered {
		b.Rendered[i].Data = []byte("the content of " + f.Path + "\n")
	}
	objs, err := openshift.Objects(cfg, b, openshift.Options{Image: image, Version: "2.0.22"})
	if err != nil {
		t.Fatal(err)
	}
	tpl, file, err := openshift.Template(objs, values(cfg))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "template.golden.yaml", fmt.Appendf(write(t, []runtime.Object{tpl}), "# The parameter file:\n# %s", strings.ReplaceAll(strings.TrimSpace(string(file)), "\n", "\n# ")))
}

// Two Secrets with files of one name but not of one content, and a text that
// processing would change.
func TestTemplateOfAnyObjects(t *testing.T) {
	secret := func(name, cert string) *corev1.Secret {
		return &corev1.Secret{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "fixed"},
			Data: map[string][]byte{"ca.crt": []byte("the CA"), "tls.crt": []byte(cert), "empty": {}},
		}
	}
	clear := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Name: "clear"}, StringData: map[string]string{"pin": "1234 in clear"}}
	objs := []runtime.Object{secret("b-one", "first"), secret("b-two", "second"), secret("b-two", "third"), clear}
	tpl, file, err := openshift.Template(objs, openshift.Values{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	params := readParameters(t, file)
	if got := slices.Sorted(maps.Keys(params)); !slices.Equal(got, []string{"CA_CRT", "PIN", "TLS_CRT", "TWO_TLS_CRT", "TWO_TLS_CRT_2"}) {
		t.Errorf("the parameters are %v", got)
	}
	processed := process(t, tpl, params)
	for i, want := range []string{"first", "second", "third"} {
		o := processed[i]
		if got := o["data"].(map[string]any)["tls.crt"]; got != base64.StdEncoding.EncodeToString([]byte(want)) {
			t.Errorf("Secret %d holds %v", i, got)
		}
		if ns := o["metadata"].(map[string]any)["namespace"]; ns != "fixed" {
			t.Errorf("Secret %d is in the namespace %v", i, ns)
		}
	}
	if strings.Contains(string(write(t, []runtime.Object{tpl})), "1234") {
		t.Error("a Secret's text stands in the Template")
	}
	m := &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Name: "b"}, Data: map[string]string{"acl": "pattern read ${NAME}/#\n"}}
	if _, _, err := openshift.Template([]runtime.Object{m}, openshift.Values{Name: "b"}); err == nil || !strings.Contains(err.Error(), "${NAME}") {
		t.Errorf("a text that processing would change: %v", err)
	}
}
