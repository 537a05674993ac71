package openshift

import (
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// WriteYAML writes the objects as a stream of YAML documents, each with its
// keys in alphabetical order and without the fields that a cluster fills in.
func WriteYAML(w io.Writer, objs []runtime.Object) error {
	for i, o := range objs {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return fmt.Errorf("encoding object %d: %w", i, err)
		}
		// The Go types have these fields by value: even empty they are there.
		for _, field := range [][]string{
			{"status"},
			{"metadata", "creationTimestamp"},
			{"spec", "template", "metadata", "creationTimestamp"},
		} {
			unstructured.RemoveNestedField(content, field...)
		}
		text, err := yaml.Marshal(content)
		if err != nil {
			return fmt.Errorf("encoding object %d: %w", i, err)
		}
		separator := ""
		if i > 0 {
			separator = "---\n"
		}
		if _, err := fmt.Fprintf(w, "%s%s", separator, text); err != nil {
			return err
		}
	}
	return nil
}
