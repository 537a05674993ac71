package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// object is one of a manifest.
type object map[string]any

// id tells it from others.
func (o object) id() string {
	meta, _ := o["metadata"].(map[string]any)
	return fmt.Sprint(o["apiVersion"], " ", o["kind"], " ", meta["namespace"], "/", meta["name"])
}

// documents splits a YAML stream.
func documents(stream []byte) [][]byte {
	var all [][]byte
	for doc := range bytes.SplitSeq(append([]byte("\n"), stream...), []byte("\n---")) {
		if doc = bytes.TrimSpace(doc); len(doc) > 0 {
			all = append(all, append(doc, '\n'))
		}
	}
	return all
}

// objectsIn returns a YAML stream's objects by their ids.
func objectsIn(streams ...[]byte) (map[string]object, error) {
	all := map[string]object{}
	for _, doc := range documents(bytes.Join(streams, []byte("\n---\n"))) {
		var o object
		if err := yaml.Unmarshal(doc, &o); err != nil {
			return nil, fmt.Errorf("reading the object %.60q: %w", doc, err)
		}
		if o != nil {
			all[o.id()] = o
		}
	}
	return all, nil
}

// same checks that a peer's command for each broker gives the objects that
// ours gave.
func (m manifests) same(command func(i int) *exec.Cmd) error {
	for i, text := range m.ours {
		if err := sameObjects(command(i), text); err != nil {
			return err
		}
	}
	return nil
}

// sameAtOnce checks a command that renders all of them.
func (m manifests) sameAtOnce(command *exec.Cmd) error { return sameObjects(command, m.ours...) }

func sameObjects(c *exec.Cmd, ours ...[]byte) error {
	text, err := output(c)
	if err != nil {
		return err
	}
	want, err := objectsIn(ours...)
	if err != nil {
		return err
	}
	got, err := objectsIn([]byte(text))
	if err != nil {
		return err
	}
	for id, o := range want {
		if !reflect.DeepEqual(got[id], o) {
			return fmt.Errorf("%q renders another %s than mosqbuild", c.Args, id)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%q renders %d objects, mosqbuild %d", c.Args, len(got), len(want))
	}
	return nil
}

// value is what stands in the charts' values and not in its templates.
type value struct{ path, text string }

var checksum = regexp.MustCompile(`checksum/[a-z]+: (\S+)`)

// valuesOf are those of one broker: name, namespace, host, image, what is in
// its Secrets, and the checksum of its files.
func (m manifests) valuesOf(i int) ([]value, error) {
	all := []value{{"image", renderedImage}, {"host", brokerHost(i)}, {"namespace", renderedNamespace}, {"name", brokerName(i)}}
	if sum := checksum.FindSubmatch(m.ours[i]); sum != nil {
		all = append(all, value{"checksum", string(sum[1])})
	}
	objects, err := objectsIn(m.ours[i])
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		data, _ := o["data"].(map[string]any)
		for key, text := range data {
			if o["kind"] == "Secret" {
				all = append(all, value{"secrets." + strings.NewReplacer(".", "_", "-", "_").Replace(key), fmt.Sprint(text)})
			}
		}
	}
	// The longest first: no other value is cut out of it.
	slices.SortFunc(all, func(a, b value) int { return len(b.text) - len(a.text) })
	return all, nil
}

// chart is the folder of the chart for one broker, or that of the chart that
// loops over all of them.
func (m manifests) chart(all bool) string {
	if all {
		return "chart-all"
	}
	return "chart"
}

// values is the file of one broker's values.
func (m manifests) values(i int) string { return "values-" + brokerName(i) + ".yaml" }

// writeCharts makes two charts of the first broker's objects, one template an
// object, and the values of each broker.
func (m manifests) writeCharts() error {
	var every []any
	for i := range m.ours {
		values, err := m.valuesOf(i)
		if err != nil {
			return err
		}
		if i == 0 {
			for _, all := range []bool{false, true} {
				if err := m.writeTemplates(values, all); err != nil {
					return err
				}
			}
		}
		tree := tree(values)
		every = append(every, tree)
		if err := writeYAML(filepath.Join(m.dir, m.values(i)), tree); err != nil {
			return err
		}
	}
	return writeYAML(filepath.Join(m.dir, m.chart(true), "values.yaml"), map[string]any{"brokers": every})
}

// tree nests values by their paths.
func tree(values []value) map[string]any {
	secrets := map[string]any{}
	root := map[string]any{"secrets": secrets}
	for _, v := range values {
		if key, ok := strings.CutPrefix(v.path, "secrets."); ok {
			secrets[key] = v.text
		} else {
			root[v.path] = v.text
		}
	}
	return root
}

// writeTemplates writes a chart less its values. With all, each template loops
// over .Values.brokers.
func (m manifests) writeTemplates(values []value, all bool) error {
	dir := filepath.Join(m.dir, m.chart(all))
	if err := os.MkdirAll(filepath.Join(dir, "templates"), 0o700); err != nil {
		return err
	}
	scope := ".Values."
	if all {
		scope = "."
	}
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, v.text, "{{ "+scope+v.path+" }}")
	}
	replacer := strings.NewReplacer(pairs...)
	for i, doc := range documents(m.ours[0]) {
		text := replacer.Replace(string(doc))
		if all {
			text = "{{- range .Values.brokers }}\n---\n" + text + "{{- end }}\n"
		}
		if err := os.WriteFile(filepath.Join(dir, "templates", fmt.Sprintf("object-%d.yaml", i)), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return writeYAML(filepath.Join(dir, "Chart.yaml"), map[string]string{"apiVersion": "v2", "name": "mosquitto", "version": "1.0.0"})
}

func writeYAML(path string, v any) error {
	data, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
