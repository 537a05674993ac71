package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// idle runs a pod that does nothing on a node, and returns it and its address.
func idle(t *testing.T, c *cluster.Cluster, name, node string) (cluster.Pod, string) {
	t.Helper()
	if err := c.Namespace(t.Context(), name, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Kubectl(context.Background(), "", "delete", "namespace", name, "--wait=false") })
	object := fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: idle, namespace: %s}, spec: {nodeName: %s,
		terminationGracePeriodSeconds: 0, volumes: [{name: kept, emptyDir: {}}],
		containers: [{name: idle, image: "localhost/pause:cluster", imagePullPolicy: Never, volumeMounts: [{name: kept, mountPath: /kept}],
		securityContext: {runAsNonRoot: true, runAsUser: 1, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}}]}}`, name, node)
	if _, err := c.Apply(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	kubectl(t, c, "wait", "--namespace", name, "--for=condition=Ready", "pod/idle", "--timeout=120s")
	var p struct {
		Metadata struct{ UID string }
		Status   struct{ PodIP string }
	}
	if err := json.Unmarshal([]byte(kubectl(t, c, "get", "pod", "idle", "--namespace", name, "-o", "json")), &p); err != nil {
		t.Fatal(err)
	}
	return cluster.Pod{Node: node, UID: p.Metadata.UID}, p.Status.PodIP
}

// pings says whether an address answers at a place.
func pings(t *testing.T, c *cluster.Cluster, where, address string) bool {
	t.Helper()
	return c.Command(t.Context(), where, "ping", "-c", "1", "-W", "1", address).Run() == nil
}

// reaches says whether a TCP connection to the API's Service comes about.
func reaches(t *testing.T, c *cluster.Cluster, where string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return c.Command(ctx, where, "bash", "-c", "exec 3<>/dev/tcp/10.96.0.1/443").Run() == nil
}

// Clients have a place of their own, where Services work whatever node is cut
// off, until they are.
func TestClient(t *testing.T) {
	c := rig(t)
	if err := c.Client(t.Context(), "client"); err != nil {
		t.Fatal(err)
	}
	if err := c.Client(t.Context(), "client"); err == nil {
		t.Error("there are two of one name")
	}
	eventually(t, "the API's Service at the client", soon, func() bool { return reaches(t, c, "client") })
	_, address := idle(t, c, "client", c.Nodes[1])
	for _, node := range c.Nodes {
		if err := c.Unplug(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		if !reaches(t, c, "client") {
			t.Errorf("without %s the Service doesn't work", node)
		}
		if got := pings(t, c, "client", address); got != (node != c.Nodes[1]) {
			t.Errorf("without %s the pod on %s answers: %v", node, c.Nodes[1], got)
		}
		if err := c.Plug(t.Context(), node); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Unplug(t.Context(), "client"); err != nil {
		t.Fatal(err)
	}
	if reaches(t, c, "client") {
		t.Error("it is not cut off")
	}
	if err := c.Plug(t.Context(), "client"); err != nil {
		t.Fatal(err)
	}
}

// Pods ask the cluster's resolver, on every node.
func TestResolver(t *testing.T) {
	c := rig(t)
	for _, node := range c.Nodes {
		pod, _ := idle(t, c, "resolver-"+node, node)
		pids, err := c.PodProcesses(pod)
		if err != nil || len(pids) == 0 {
			t.Fatalf("pod %v has no processes: %v", pod, err)
		}
		var found bool
		for _, pid := range pids { // the sandbox's has no such file
			conf, _ := os.ReadFile(fmt.Sprintf("/proc/%d/root/etc/resolv.conf", pid))
			found = found || strings.Contains(string(conf), "nameserver "+c.Address(cluster.Outside)+"\n")
		}
		if !found {
			t.Errorf("a pod on %s asks others", node)
		}
	}
}

// A cut one way leaves the other way, and others, alone.
func TestBlock(t *testing.T) {
	c := rig(t)
	pod, address := idle(t, c, "block", c.Nodes[1])
	if err := c.Block(t.Context(), pod, c.Address(c.Nodes[0])); err != nil {
		t.Fatal(err)
	}
	if pings(t, c, c.Nodes[0], address) {
		t.Error("it still hears")
	}
	if !pings(t, c, cluster.Outside, address) {
		t.Error("it doesn't hear others")
	}
	if err := c.Unblock(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if !pings(t, c, c.Nodes[0], address) {
		t.Error("it doesn't hear again")
	}
}

var lossPercent = regexp.MustCompile(`([\d.]+)% packet loss`)

// A bad cable loses about as much as was asked for.
func TestLose(t *testing.T) {
	c := rig(t)
	node := c.Nodes[1]
	lost := func() float64 {
		out, _ := try(c.Command(t.Context(), cluster.Outside, "ping", "-q", "-c", "200", "-i", "0.005", "-W", "1", c.Address(node)))
		m := lossPercent.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("ping says %q", out)
		}
		percent, _ := strconv.ParseFloat(m[1], 64)
		return percent
	}
	if err := c.Lose(t.Context(), node, 20); err != nil {
		t.Fatal(err)
	}
	if got := lost(); got < 20 || got > 55 { // 36 % of questions go without an answer
		t.Errorf("20 %% each way lose %v %%", got)
	}
	if err := c.Lose(t.Context(), node, 0); err != nil {
		t.Fatal(err)
	}
	if got := lost(); got != 0 {
		t.Errorf("mended, it loses %v %%", got)
	}
}

// Without the API server, nothing but it is gone; back, it knows what it knew.
func TestStopAPI(t *testing.T) {
	c := rig(t)
	_, address := idle(t, c, "stop-api", c.Nodes[1])
	if err := c.StopAPI(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reaches(t, c, c.Nodes[0]) {
		t.Error("it still answers")
	}
	if c.StopAPI(t.Context()) == nil {
		t.Error("it is stopped twice")
	}
	if !pings(t, c, c.Nodes[0], address) {
		t.Error("pods are gone, too")
	}
	began := time.Now()
	if err := c.StartAPI(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("back after %s", time.Since(began).Round(10*time.Millisecond))
	kubectl(t, c, "get", "pod", "idle", "--namespace", "stop-api")
	if err := c.Heard(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("every node has heard of it after %s", time.Since(began).Round(10*time.Millisecond))
}

// A node that lost its power comes back with its disk and its pods.
func TestPower(t *testing.T) {
	c := rig(t)
	node := c.Nodes[1]
	pod, address := idle(t, c, "power", node)
	file := filepath.Join(c.Dir, node, "kubelet", "pods", pod.UID, "volumes", "kubernetes.io~empty-dir", "kept", "file")
	if err := os.WriteFile(file, []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.PowerOff(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if pids, err := c.PodProcesses(pod); err != nil || len(pids) > 0 {
		t.Errorf("the processes %v still run, %v", pids, err)
	}
	if pings(t, c, cluster.Outside, address) {
		t.Error("the pod still answers")
	}
	began := time.Now()
	if err := c.PowerOn(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod's return", time.Minute, func() bool {
		out := kubectl(t, c, "get", "pod", "idle", "--namespace", "power", "-o", `jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}`)
		pids, _ := c.PodProcesses(pod)
		return out == "1 true" && len(pids) > 0
	})
	t.Logf("back after %s", time.Since(began).Round(100*time.Millisecond))
	if data, err := os.ReadFile(file); err != nil || string(data) != "kept" {
		t.Errorf("its disk has %q, %v", data, err)
	}
}
