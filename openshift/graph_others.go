package openshift

import (
	"fmt"

	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// others draws what rules over pods, and who may do what.
func (g *graph) others() error {
	for _, m := range g.objects {
		var err error
		switch m.Kind {
		case "NetworkPolicy":
			var n networkingv1.NetworkPolicy
			if err = m.into(&n); err == nil {
				err = g.rules(m, &n.Spec.PodSelector, "who may connect")
			}
		case "PodDisruptionBudget":
			var b policyv1.PodDisruptionBudget
			if err = m.into(&b); err == nil && b.Spec.Selector != nil {
				err = g.rules(m, b.Spec.Selector, "how many may be away")
			}
		case "RoleBinding", "ClusterRoleBinding":
			err = g.binding(m)
		case "Certificate":
			if secret, ok := walkTo(m.content, []string{"spec"})["secretName"].(string); ok {
				g.connect(g.nodes[m.node].id, arrowUse, g.made(m, secret), "issues")
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rules draws an edge to each workload that the selector means.
func (g *graph) rules(m *member, selector *metav1.LabelSelector, label string) error {
	means, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return fmt.Errorf("reading the selector of %s %q: %w", m.Kind, m.Name, err)
	}
	for _, p := range g.pods {
		if p.namespace == m.namespace && means.Matches(labels.Set(p.labels)) {
			g.connect(g.nodes[m.node].id, arrowUse, g.nodes[p.node].id, label)
		}
	}
	return nil
}

func (g *graph) binding(m *member) error {
	var b rbacv1.RoleBinding
	if err := m.into(&b); err != nil {
		return err
	}
	role := g.find(m, b.RoleRef.Kind, b.RoleRef.Name)
	g.connect(g.nodes[m.node].id, arrowUse, role, "grants")
	for _, s := range b.Subjects {
		g.connect(g.find(m, s.Kind, s.Name), arrowUse, g.nodes[m.node].id, "")
	}
	return nil
}
