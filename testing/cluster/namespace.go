package cluster

import (
	"context"
	"encoding/json"
	"fmt"
)

// Namespace makes a namespace that enforces the Pod Security profile
// restricted. Where uid isn't 0, its pods run as that uid unless they name one,
// as under OpenShift's restricted-v2.
func (c *Cluster) Namespace(ctx context.Context, name string, uid int) error {
	labels := map[string]string{
		"pod-security.kubernetes.io/enforce":         "restricted",
		"pod-security.kubernetes.io/enforce-version": "latest",
		"pod-security.kubernetes.io/warn":            "restricted",
	}
	meta := map[string]any{"name": name, "labels": labels}
	if uid != 0 {
		labels["security.openshift.io/scc"] = "restricted-v2"
		meta["annotations"] = map[string]string{"openshift.io/sa.scc.uid-range": fmt.Sprintf("%d/10000", uid)}
	}
	data, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
	if err != nil {
		return err
	}
	if _, err := c.Apply(ctx, string(data)); err != nil {
		return err
	}
	// Without it, pods are refused; the controller manager makes it soon.
	return c.poll(ctx, "the service account of namespace "+name, func() (bool, error) {
		_, err := c.Kubectl(ctx, "", "get", "serviceaccount", "default", "--namespace", name)
		return err == nil, nil
	})
}
