package cluster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/yaml"
)

// pauseImage is what every pod's sandbox runs, made from the command pause.
const pauseImage = "localhost/pause:cluster"

// startNodes starts every node, and meanwhile gives the API what it needs, and
// returns when all are Ready.
func (c *Cluster) startNodes(ctx context.Context) error {
	for _, name := range c.Nodes {
		if _, err := c.newPlace(ctx, name, c.resolver()); err != nil {
			return err
		}
	}
	if len(c.Nodes) > 0 {
		if err := c.writePauseImage(); err != nil {
			return err
		}
	}
	group, both := errgroup.WithContext(ctx)
	for i := range c.Nodes {
		group.Go(func() error { return c.startNode(both, i) })
	}
	group.Go(func() error { return c.addons(both) })
	if err := group.Wait(); err != nil {
		return err
	}
	return c.nodesReady(ctx)
}

// nodesReady waits until every node is Ready.
func (c *Cluster) nodesReady(ctx context.Context) error {
	if len(c.Nodes) == 0 {
		return nil
	}
	return c.poll(ctx, "all nodes to be Ready", func() (bool, error) {
		for _, node := range c.Nodes {
			if err := c.alive(c.place(node), "containerd", "kubelet", "kube-proxy"); err != nil {
				return false, err
			}
		}
		out, err := c.Kubectl(ctx, "", "get", "nodes", "-o", `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`)
		return err == nil && out == strings.TrimSpace(strings.Repeat("True ", len(c.Nodes))), nil
	})
}

func (c *Cluster) startNode(ctx context.Context, i int) error {
	name := c.Nodes[i]
	p := c.place(name)
	if err := c.plug(ctx, i); err != nil {
		return err
	}
	group, err := c.record.MakeCgroup(name)
	if err != nil {
		return err
	}
	for file, v := range map[string]any{
		"cni/10-bridge.conflist": c.cni(i),
		"containerd.toml":        c.containerd(name),
		"kubelet.yaml":           c.kubelet(i, group),
		"kube-proxy.yaml":        c.kubeProxy(name),
	} {
		if err := writeConfig(c.path(name, file), v); err != nil {
			return err
		}
	}
	if err := c.daemon(p, "containerd", "containerd", "--config", c.path(name, "containerd.toml")); err != nil {
		return err
	}
	err = c.poll(ctx, "containerd of "+name, func() (bool, error) {
		_, err := output(p.ctr(ctx, c, "version"))
		return err == nil, c.alive(p, "containerd")
	})
	if err != nil {
		return err
	}
	if err := c.load(ctx, name, c.path("pause.tar")); err != nil {
		return err
	}
	err = c.daemon(p, "kubelet", c.program("kubelet"), "--config", c.path(name, "kubelet.yaml"), "--kubeconfig", c.kubeconfigOf(name),
		"--hostname-override", name, "--node-ip", nodeIP(i), "--root-dir", c.path(name, "kubelet"), "--cert-dir", c.path(name, "pki"), "--v=2")
	if err != nil {
		return err
	}
	return c.daemon(p, "kube-proxy", c.program("kube-proxy"), "--config", c.path(name, "kube-proxy.yaml"))
}

// writeConfig writes v as YAML, which JSON is too, or as it is.
func writeConfig(path string, v any) error {
	data, ok := v.(string)
	if !ok {
		out, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, "conflist") {
			if out, err = yaml.YAMLToJSON(out); err != nil {
				return err
			}
		}
		data = string(out)
	}
	if err := os.MkdirAll(path[:strings.LastIndexByte(path, '/')], 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(data), 0o644)
}

// cni is the network of the ith node's pods.
func (c *Cluster) cni(i int) map[string]any {
	return map[string]any{"cniVersion": "1.0.0", "name": "pods", "plugins": []any{
		map[string]any{
			"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
			"ipam": map[string]any{
				"type": "host-local", "dataDir": c.path(c.Nodes[i], "ipam"),
				"ranges": []any{[]any{map[string]any{"subnet": nodePods(i)}}},
				"routes": []any{map[string]any{"dst": "0.0.0.0/0"}},
			},
		},
		map[string]any{"type": "portmap", "capabilities": map[string]any{"portMappings": true}},
	}}
}

// containerd keeps all it has in the node's folder. Without CAP_SYS_RESOURCE it
// can't lower scores for the out-of-memory killer, and needn't.
func (c *Cluster) containerd(node string) string {
	return fmt.Sprintf(`version = 2
root = %q
state = %q
oom_score = 0
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`, c.path(node, "images"), c.path(node, "run"), c.socket(node), c.path(node, "opt"), pauseImage, c.path(node, "cni"))
}

func (c *Cluster) socket(node string) string { return c.path(node, "containerd.sock") }

func (c *Cluster) kubelet(i int, cgroup string) map[string]any {
	conf := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"failCgroupV1": false, "failSwapOn": false,
		"cgroupDriver": "cgroupfs", "cgroupRoot": cgroup, "enforceNodeAllocatable": []string{},
		"containerRuntimeEndpoint": "unix://" + c.socket(c.Nodes[i]),
		"podLogsDir":               c.path(c.Nodes[i], "pods"),
		"address":                  nodeIP(i),
		// Nobody but the API server is in this network.
		"authentication": map[string]any{"anonymous": map[string]any{"enabled": true}, "webhook": map[string]any{"enabled": false}},
		"authorization":  map[string]any{"mode": "AlwaysAllow"},
		"clusterDomain":  Domain, "clusterDNS": []string{outsideIP}, "resolvConf": "",
		"imageGCHighThresholdPercent": 100, // what goes can't be pulled again
		"evictionHard":                map[string]any{"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
		"makeIPTablesUtilChains":      false,
		"oomScoreAdj":                 0,
	}
	if c.grace > 0 {
		conf["nodeStatusUpdateFrequency"] = (c.grace / 5).String()
		conf["nodeLeaseDurationSeconds"] = max(4, int(c.grace/time.Second))
	}
	return conf
}

func (c *Cluster) kubeProxy(node string) map[string]any {
	sync := map[string]any{"minSyncPeriod": "10ms", "syncPeriod": "30s"}
	return map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode": "nftables", "nftables": sync, "iptables": sync,
		"hostnameOverride": node, "clusterCIDR": podCIDR, "oomScoreAdj": 0,
		"clientConnection": map[string]any{"kubeconfig": c.kubeconfigOf("kube-proxy")},
		"conntrack":        map[string]any{"maxPerCore": 0, "min": 0}, // they are the machine's
	}
}
