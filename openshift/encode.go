package openshift

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Object is one API object, of the types of k8s.io/api or any other that can
// be written as JSON.
type Object = runtime.Object

// WriteYAML writes the objects as a stream of YAML documents, each with its
// keys in alphabetical order and without the fields that a cluster fills in.
func WriteYAML(w io.Writer, objs []Object) error {
	for i, o := range objs {
		text, err := encode(o)
		if err != nil {
			return fmt.Errorf("encoding object %d: %w", i, err)
		}
		if i > 0 {
			text = append([]byte("---\n"), text...)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes the objects as one JSON object, a v1 List, as indented text
// with its keys in alphabetical order and without the fields that a cluster
// fills in.
func WriteJSON(w io.Writer, objs []Object) error {
	items := make([]any, len(objs))
	for i, o := range objs {
		content, err := fields(o)
		if err != nil {
			return fmt.Errorf("encoding object %d: %w", i, err)
		}
		items[i] = content
	}
	return writeJSON(w, map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
}

func writeJSON(w io.Writer, v any) error {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(out.Bytes())
	return err
}

// encode is one object as YAML.
func encode(o Object) ([]byte, error) {
	content, err := fields(o)
	if err != nil {
		return nil, err
	}
	return yaml.Marshal(content)
}

// fields is the tree of o's fields; it may be changed without changing o.
func fields(o Object) (map[string]any, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, err
	}
	if _, shared := o.(runtime.Unstructured); shared {
		content = runtime.DeepCopyJSON(content)
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
