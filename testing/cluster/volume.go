package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

// StorageClass is the class of Volume's volumes, and the default one.
const StorageClass = "local"

// Volume makes a persistent volume of the given size, such as 1Gi, on a node's
// disk, and returns its folder. It is of the type local, for which a kubelet
// honours fsGroup, as it doesn't for hostPath. The size isn't enforced.
func (c *Cluster) Volume(ctx context.Context, node, name, size string) (string, error) {
	dir := c.path(node, "volumes", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making volume %q: %w", name, err)
	}
	volume, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": map[string]any{"name": name},
		"spec": map[string]any{
			"capacity":                      map[string]any{"storage": size},
			"accessModes":                   []string{"ReadWriteOnce"},
			"persistentVolumeReclaimPolicy": "Retain",
			"storageClassName":              StorageClass,
			"local":                         map[string]any{"path": dir},
			"nodeAffinity": map[string]any{"required": map[string]any{"nodeSelectorTerms": []any{map[string]any{
				"matchExpressions": []any{map[string]any{"key": "kubernetes.io/hostname", "operator": "In", "values": []string{node}}},
			}}}},
		},
	})
	if err != nil {
		return "", err
	}
	_, err = c.Apply(ctx, string(volume))
	return dir, err
}
