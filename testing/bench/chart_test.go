package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"text/template"

	"sigs.k8s.io/yaml"
)

// renderedBroker is a manifest like ours, of two objects.
func renderedBroker(i int, password string) []byte {
	return []byte(strings.NewReplacer("NAME", brokerName(i), "HOST", brokerHost(i), "PASSWORD", password).Replace(`apiVersion: v1
data:
  ca.crt: PASSWORD
kind: Secret
metadata:
  annotations:
    checksum/files: sum-of-PASSWORD
  name: NAME-auth
  namespace: bench-namespace
---
apiVersion: route.openshift.io/v1
kind: Route
metadata:
  name: NAME
  namespace: bench-namespace
spec:
  host: HOST
`))
}

func TestChartsHoldEveryBroker(t *testing.T) {
	m := manifests{dir: t.TempDir(), ours: [][]byte{renderedBroker(0, "first"), renderedBroker(1, "other")}}
	if err := m.writeCharts(); err != nil {
		t.Fatal(err)
	}
	want, err := objectsIn(m.ours...)
	if err != nil || len(want) != 4 {
		t.Fatalf("%v, %v", want, err)
	}
	var one [][]byte
	for i := range m.ours {
		one = append(one, filled(t, filepath.Join(m.dir, m.chart(false)), filepath.Join(m.dir, m.values(i))))
	}
	chart := filepath.Join(m.dir, m.chart(true))
	for kind, streams := range map[string][][]byte{"one": one, "all": {filled(t, chart, filepath.Join(chart, "values.yaml"))}} {
		if got, err := objectsIn(streams...); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v; want %v", kind, got, err, want)
		}
	}
}

// filled does what helm does with such a chart.
func filled(t *testing.T, chart, valuesFile string) []byte {
	t.Helper()
	text, err := os.ReadFile(valuesFile)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	templates, err := template.ParseGlob(filepath.Join(chart, "templates", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, one := range templates.Templates() {
		out.WriteString("---\n")
		if err := one.Option("missingkey=error").Execute(&out, map[string]any{"Values": values}); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestSameObjects(t *testing.T) {
	ours := renderedBroker(0, "first")
	for name, tt := range map[string]struct {
		theirs string
		same   bool
	}{
		"equal":   {string(ours), true},
		"changed": {string(renderedBroker(0, "other")), false},
		"missing": {string(documents(ours)[0]), false},
		"more":    {string(ours) + "---\n" + string(renderedBroker(1, "first")), false},
	} {
		if err := sameObjects(exec.Command("printf", "%s", tt.theirs), ours); (err == nil) != tt.same {
			t.Errorf("%s: %v", name, err)
		}
	}
}
