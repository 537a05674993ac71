package openshift

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"go.yaml.in/yaml/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Object is one API object, of the types of k8s.io/api or any other that can
// be written as JSON.
type Object = runtime.Object

// WriteYAML writes the objects as a stream of YAML documents, each with its
// keys in alphabetical order and without the fields that a cluster fills in.
func WriteYAML(w io.Writer, objs []Object) error {
	text, err := stream(objs)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// stream is the objects as a stream of YAML documents.
func stream(objs []Object) ([]byte, error) {
	var out bytes.Buffer
	for i, o := range objs {
		content, err := fields(o)
		if err != nil {
			return nil, encodingError(i, err)
		}
		text, err := yaml.Marshal(content)
		if err != nil {
			return nil, encodingError(i, err)
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(text)
	}
	return out.Bytes(), nil
}

func encodingError(i int, err error) error { return fmt.Errorf("encoding object %d: %w", i, err) }

// WriteJSON writes the objects as one JSON object, a v1 List, as indented text
// with its keys in alphabetical order and without the fields that a cluster
// fills in.
func WriteJSON(w io.Writer, objs []Object) error {
	items, err := trees(objs)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]any{"apiVersion": "v1", "kind": "List", "items": items}); err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// fields is the tree of o's fields; it may be changed without changing o.
func fields(o Object) (map[string]any, error) {
	// apimachinery's own converter fills a cache for each field that it meets
	// first, which in a program that ends at once is most of its work.
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	var content map[string]any
	if err := utiljson.Unmarshal(text, &content); err != nil {
		return nil, err
	}
	prune(content)
	return content, nil
}

// prune removes from an object, and from the pod and volume claim templates in
// it, what the cluster fills in. The Go types have these fields by value: even
// empty they are there.
func prune(object map[string]any) {
	if _, ok := object["metadata"].(map[string]any); !ok {
		return
	}
	unstructured.RemoveNestedField(object, "status")
	unstructured.RemoveNestedField(object, "metadata", "creationTimestamp")
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return
	}
	if len(spec) == 0 {
		delete(object, "spec") // a Lease's
	}
	ports, _ := spec["ports"].([]any)
	for _, p := range ports {
		if port, ok := p.(map[string]any); ok && port["targetPort"] == int64(0) {
			delete(port, "targetPort") // of a Service's
		}
	}
	if template, ok := spec["template"].(map[string]any); ok {
		prune(template)
	}
	claims, _ := spec["volumeClaimTemplates"].([]any)
	for _, c := range claims {
		if claim, ok := c.(map[string]any); ok {
			prune(claim)
		}
	}
}
