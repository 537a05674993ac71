package openshift

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// ReadYAML reads the objects of a stream of YAML or JSON documents, anybody's,
// those in a List or an OpenShift Template one by one. The error names the
// document, counted from 1.
func ReadYAML(r io.Reader) ([]Object, error) {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(r))
	var objs []Object
	for n := 1; ; n++ {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objs, nil
		}
		if err == nil {
			objs, err = readDocument(objs, text)
		}
		if err != nil {
			return nil, fmt.Errorf("reading document %d: %w", n, err)
		}
	}
}

// readDocument appends the objects in a YAML document.
func readDocument(objs []Object, text []byte) ([]Object, error) {
	data, err := yaml.YAMLToJSONStrict(text)
	if err != nil || string(data) == "null" {
		return objs, err
	}
	o := new(unstructured.Unstructured)
	if err := json.Unmarshal(data, o); err != nil {
		return nil, err
	}
	items := "items"
	switch {
	case o.GetKind() == "Template":
		items = "objects"
	case o.GetKind() != "List" && !o.IsList():
		return append(objs, o), nil
	}
	list, _, err := unstructured.NestedSlice(o.Object, items)
	if err != nil {
		return nil, err
	}
	for i, item := range list {
		content, ok := item.(map[string]any)
		if kind, _ := content["kind"].(string); !ok || kind == "" {
			return nil, fmt.Errorf("%s[%d] is no object with a kind", items, i)
		}
		objs = append(objs, runtime.Object(&unstructured.Unstructured{Object: content}))
	}
	return objs, nil
}
