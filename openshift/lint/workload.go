package lint

import (
	"maps"
	"slices"

	appsocp "github.com/openshift/api/apps/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// workload is an object that makes pods, or a bare Pod.
type workload struct {
	*object
	labels   labels.Set
	spec     *corev1.PodSpec
	path     []any // to the pod's spec
	selector *metav1.LabelSelector
	replicas int32
	claims   []corev1.PersistentVolumeClaim // of a StatefulSet
	brief    bool                           // its pods end by themselves
}

// newWorkload returns nil for an object that makes no pods.
func newWorkload(o *object) *workload {
	template := []any{"spec", "template", "spec"}
	w := &workload{object: o, path: template, replicas: 1}
	switch t := o.typed.(type) {
	case *appsv1.Deployment:
		w.take(t.Spec.Template, t.Spec.Replicas)
		w.selector = t.Spec.Selector
	case *appsv1.StatefulSet:
		w.take(t.Spec.Template, t.Spec.Replicas)
		w.selector, w.claims = t.Spec.Selector, t.Spec.VolumeClaimTemplates
	case *appsv1.DaemonSet:
		w.take(t.Spec.Template, nil)
		w.selector = t.Spec.Selector
	case *appsocp.DeploymentConfig:
		if t.Spec.Template == nil {
			return nil
		}
		w.take(*t.Spec.Template, &t.Spec.Replicas)
		w.selector = &metav1.LabelSelector{MatchLabels: t.Spec.Selector}
	case *corev1.Pod:
		w.labels, w.spec, w.path = t.Labels, &t.Spec, []any{"spec"}
	case *batchv1.Job:
		w.take(t.Spec.Template, nil)
		w.brief = true
	case *batchv1.CronJob:
		w.take(t.Spec.JobTemplate.Spec.Template, nil)
		w.path, w.brief = []any{"spec", "jobTemplate", "spec", "template", "spec"}, true
	default:
		return nil
	}
	return w
}

func (w *workload) take(t corev1.PodTemplateSpec, replicas *int32) {
	w.labels, w.spec = t.Labels, &t.Spec
	if replicas != nil {
		w.replicas = *replicas
	}
}

// pod is the place of a path below the pod's spec.
func (w *workload) pod(steps ...any) place { return w.at(slices.Concat(w.path, steps)...) }

// matches tells whether a label selector matches the workload's pods. One that
// is nil or wrong matches none.
func (w *workload) matches(s *metav1.LabelSelector) bool {
	sel, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && sel.Matches(w.labels)
}

// selected tells whether a Service's selector matches the workload's pods.
func (w *workload) selected(s *object, selector map[string]string) bool {
	return len(selector) > 0 && s.namespace == w.namespace && labels.SelectorFromSet(selector).Matches(w.labels)
}

// version is the Mosquitto version that the pod's labels name.
func (w *workload) version() string { return w.labels["app.kubernetes.io/version"] }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// each calls f for every object of a type.
func each[T any](p *project, f func(*object, T)) {
	for _, o := range p.objects {
		if t, ok := o.typed.(T); ok {
			f(o, t)
		}
	}
}

// find returns the object of a type with a name in a namespace.
func find[T any](p *project, namespace, name string) (found *object, typed T) {
	each(p, func(o *object, t T) {
		if o.name == name && o.namespace == namespace {
			found, typed = o, t
		}
	})
	return found, typed
}
