package openshift

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
)

// What Kubernetes takes, in bytes: of a Secret's or ConfigMap's data
// (https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size),
// and of the annotations, in one of which kubectl's client-side apply keeps the
// whole object.
const (
	maxData        = 1 << 20
	maxAnnotations = 256 << 10
)

// NameOf names an object as kubectl does, with its namespace: no two of one cluster
// have the same.
func NameOf(o Object) (string, error) {
	m, err := meta.Accessor(o)
	if err != nil {
		return "", fmt.Errorf("reading an object's name: %w", err)
	}
	kind := o.GetObjectKind().GroupVersionKind().Kind
	if ns := m.GetNamespace(); ns != "" {
		return fmt.Sprintf("%s %s of namespace %s", kind, m.GetName(), ns), nil
	}
	return kind + " " + m.GetName(), nil
}

// checkSizes refuses what no cluster takes.
func checkSizes(objs []Object) error {
	for _, o := range objs {
		size, kind, name := 0, "", ""
		switch o := o.(type) {
		case *corev1.Secret:
			kind, name = o.Kind, o.Name
			for _, data := range o.Data {
				size += len(data)
			}
		case *corev1.ConfigMap:
			kind, name = o.Kind, o.Name
			for _, data := range o.Data {
				size += len(data)
			}
		}
		if size > maxData {
			return fmt.Errorf("the %s %s has %d bytes of data, more than the %d that Kubernetes takes: it has too many users, or certificates too large", kind, name, size, maxData)
		}
	}
	return nil
}

// Large tells of the objects that a client-side apply can't keep what it is to
// compare with, though the cluster takes them.
func Large(objs []Object) (warnings []string, err error) {
	for _, o := range objs {
		text, err := json.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("encoding an object: %w", err)
		}
		name, err := NameOf(o)
		if err != nil {
			return nil, err
		}
		if len(text) > maxAnnotations {
			warnings = append(warnings, fmt.Sprintf("the %s has %d bytes, of which a client-side apply keeps no copy: give kubectl apply --server-side", name, len(text)))
		}
	}
	return warnings, nil
}
