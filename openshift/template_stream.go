package openshift

import (
	"encoding/json"
	"fmt"

	imagev1 "github.com/openshift/api/image/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// streamTag is the tag of the ImageStream that workloads follow.
	streamTag = "current"
	// annotationTriggers is read by OpenShift's image trigger controller; see
	// https://docs.redhat.com/en/documentation/openshift_container_platform/4.19/html/images/triggering-updates-on-imagestream-changes
	annotationTriggers = "image.openshift.io/triggers"
)

// trigger has a container run the image that a tag means.
type trigger struct {
	From      triggerFrom `json:"from"`
	FieldPath string      `json:"fieldPath"`
}

type triggerFrom struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// withStream returns objects with an ImageStream of the image before them, and
// a trigger on each workload that runs it. The containers name the image all
// the same, so that they run before, and without, its import.
func (t *template) withStream(objects []map[string]any) ([]map[string]any, error) {
	var labels map[string]any
	for _, o := range objects {
		triggers := t.triggers(o)
		if triggers == nil {
			continue
		}
		text, err := json.Marshal(triggers)
		if err != nil {
			return nil, err
		}
		meta := o["metadata"].(map[string]any)
		annotations, ok := meta["annotations"].(map[string]any)
		if !ok {
			annotations = map[string]any{}
			meta["annotations"] = annotations
		}
		annotations[annotationTriggers] = string(text)
		if labels == nil {
			labels, _ = meta["labels"].(map[string]any)
		}
	}
	if labels == nil {
		return objects, nil
	}
	stream, err := t.stream(labels)
	return append([]map[string]any{stream}, objects...), err
}

// triggers are those of the containers in o's pod template that run the image.
func (t *template) triggers(o map[string]any) []trigger {
	var found []trigger
	walk(o, nil, func(path []string, s string) string {
		if n := len(path); n == 6 && isImage(path) && path[1] == "template" && s == t.values.Image {
			container := walkTo(o, path[:5])["name"]
			found = append(found, trigger{
				From:      triggerFrom{"ImageStreamTag", ref(parameterName) + ":" + streamTag},
				FieldPath: fmt.Sprintf("spec.template.spec.%s[?(@.name==%q)].image", path[3], container),
			})
		}
		return s
	})
	return found
}

func (t *template) stream(labels map[string]any) (map[string]any, error) {
	s := &imagev1.ImageStream{
		TypeMeta:   metav1.TypeMeta{APIVersion: "image.openshift.io/v1", Kind: "ImageStream"},
		ObjectMeta: metav1.ObjectMeta{Name: t.values.Name, Namespace: t.values.Namespace},
		Spec: imagev1.ImageStreamSpec{Tags: []imagev1.TagReference{{
			Name:            streamTag,
			From:            &corev1.ObjectReference{Kind: "DockerImage", Name: t.values.Image},
			ReferencePolicy: imagev1.TagReferencePolicy{Type: imagev1.SourceTagReferencePolicy},
		}}},
	}
	content, err := fields(s)
	if err != nil {
		return nil, err
	}
	own := map[string]any{}
	for key, value := range labels {
		own[key] = value
	}
	content["metadata"].(map[string]any)["labels"] = own
	tag := walkTo(content, []string{"spec", "tags", "0"})
	delete(tag, "annotations") // null: the Go type has no omitempty
	delete(tag, "generation")
	return content, nil
}
