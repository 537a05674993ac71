package openshift

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (d objects) failoverName() string { return d.cfg.Name + "-failover" }

// brokerAccount is who the guards are.
func (d objects) brokerAccount() string { return d.cfg.Name + "-broker" }

// access lets the guards read the clients' Service, and the controllers switch
// it, elect one of them and tell what they did, and do nothing else. Nobody has
// a right to list or watch, for a resource name wouldn't bound that.
func (d objects) access() []Object {
	named := func(group, resource, name string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: []string{name}, Verbs: verbs}
	}
	guards := d.granted(d.meta(d.brokerAccount()), named("", "services", d.cfg.Name, "get"))
	controllers := d.granted(d.agentMeta(d.failoverName()),
		named("", "services", d.cfg.Name, "get", "patch"),
		named("coordination.k8s.io", "leases", d.failoverName(), "get", "update"),
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}})
	return append(guards, controllers...)
}

// granted are a ServiceAccount and what it may do.
func (d objects) granted(meta metav1.ObjectMeta, rules ...rbacv1.PolicyRule) []Object {
	account := &corev1.ServiceAccount{
		TypeMeta:                     metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
		ObjectMeta:                   meta,
		AutomountServiceAccountToken: new(false),
	}
	role := &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: meta,
		Rules:      rules,
	}
	binding := &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: meta.Name, Namespace: d.cfg.Deploy.Namespace}},
	}
	return []Object{account, role, binding}
}
