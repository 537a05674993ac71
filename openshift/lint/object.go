package lint

import (
	"encoding/json"
	"reflect"
	"strings"

	appsocp "github.com/openshift/api/apps/v1"
	routev1 "github.com/openshift/api/route/v1"
	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// object is one Kubernetes object: what was written, and what it means.
type object struct {
	file                              string
	node                              *yaml.Node
	apiVersion, kind, name, namespace string
	typed                             any // pointer to the API type; nil where it isn't known
}

// newObject reads a mapping as an object.
func newObject(file string, n *yaml.Node) *object {
	o := &object{file: file, node: n, apiVersion: text(n, "apiVersion"), kind: text(n, "kind"),
		name: text(n, "metadata", "name"), namespace: text(n, "metadata", "namespace")}
	if o.typed = newType(o.apiVersion, o.kind); o.typed == nil {
		return o
	}
	data, err := json.Marshal(withoutQuantities(value(n), reflect.TypeOf(o.typed)))
	if err == nil {
		// What has a wrong type stays zero; a rule of its own reports it.
		_ = json.Unmarshal(data, o.typed)
	}
	return o
}

// withoutQuantities empties, of a value that is to be read as a type, what would
// be a resource.Quantity. No rule looks at one, and to read 1e-1000000000,
// resource.ParseQuantity writes down a milliard zeros.
func withoutQuantities(v any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[resource.Quantity]() {
		return nil
	}
	switch v := v.(type) {
	case []any:
		for i := 0; t.Kind() == reflect.Slice && i < len(v); i++ {
			v[i] = withoutQuantities(v[i], t.Elem())
		}
	case map[string]any:
		fields := map[string]reflect.Type{}
		if t.Kind() == reflect.Struct {
			jsonFields(t, fields)
		}
		for key := range v {
			if t.Kind() == reflect.Map {
				v[key] = withoutQuantities(v[key], t.Elem())
			}
			for name, of := range fields {
				if strings.EqualFold(name, key) { // as encoding/json does
					v[key] = withoutQuantities(v[key], of)
				}
			}
		}
	}
	return v
}

// newType returns a new value of a kind's type. A version that has gone is read
// as the one that took its place: what the rules look at is the same.
func newType(apiVersion, kind string) any {
	group, _, _ := strings.Cut(apiVersion, "/")
	switch kind {
	case "Deployment":
		return only(group, new(appsv1.Deployment), "apps", "extensions")
	case "StatefulSet":
		return only(group, new(appsv1.StatefulSet), "apps")
	case "DaemonSet":
		return only(group, new(appsv1.DaemonSet), "apps", "extensions")
	case "DeploymentConfig":
		return only(group, new(appsocp.DeploymentConfig), "apps.openshift.io", "v1")
	case "Job":
		return only(group, new(batchv1.Job), "batch")
	case "CronJob":
		return only(group, new(batchv1.CronJob), "batch")
	case "Route":
		return only(group, new(routev1.Route), "route.openshift.io", "v1")
	case "NetworkPolicy":
		return only(group, new(networkingv1.NetworkPolicy), "networking.k8s.io", "extensions")
	case "PodDisruptionBudget":
		return only(group, new(policyv1.PodDisruptionBudget), "policy")
	case "Role":
		return only(group, new(rbacv1.Role), "rbac.authorization.k8s.io")
	case "RoleBinding":
		return only(group, new(rbacv1.RoleBinding), "rbac.authorization.k8s.io")
	}
	return only(group, coreType(kind), "v1")
}

func coreType(kind string) any {
	switch kind {
	case "Pod":
		return new(corev1.Pod)
	case "Service":
		return new(corev1.Service)
	case "ConfigMap":
		return new(corev1.ConfigMap)
	case "Secret":
		return new(corev1.Secret)
	case "PersistentVolumeClaim":
		return new(corev1.PersistentVolumeClaim)
	case "ServiceAccount":
		return new(corev1.ServiceAccount)
	case "Namespace":
		return new(corev1.Namespace)
	}
	return nil
}

// only returns v where the group is one of those given.
func only(group string, v any, groups ...string) any {
	for _, g := range groups {
		if g == group {
			return v
		}
	}
	return nil
}

// at is the place of a path's last step that exists.
func (o *object) at(path ...any) place {
	_, line, _ := at(o.node, path...)
	return place{o.file, line}
}

// title is what a message calls the object.
func (o *object) title() string { return o.kind + " " + o.name }
