package cluster_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// image is the broker's, as it is named in the manifests under test: not
// latest, which Kubernetes would want to pull.
const image = "localhost/mosquitto:test"

// agentImage is the agents', for the profile ha.
const agentImage = "localhost/mosquitto-agent:test"

// rangeBegin is a uid such as OpenShift gives a namespace.
const rangeBegin = 1000660000

// loaded gives the cluster the images of each series, the broker's from packages
// built from source.
var loaded = map[string]*struct {
	once sync.Once
	err  error
}{"2.0": {}, "2.1": {}}

// image is the broker's of the profile's series.
func (p profile) image() string {
	if p.series == "2.0" {
		return image
	}
	return image + "-" + p.series
}

// broker is one deployment in a namespace of its own, or, with a role, one
// broker of a pair.
type broker struct {
	*cluster.Cluster
	profile
	namespace, host, dir, role string
	data                       string // folder of the volume
}

// deploy renders what the profile's config says, and applies it strictly.
func deploy(t *testing.T, p profile) broker {
	t.Helper()
	b := broker{Cluster: rig(t), profile: p, namespace: p.name, host: "mqtt-" + p.name + "." + cluster.RouteDomain, dir: t.TempDir(), role: p.role}
	text := strings.NewReplacer("NAMESPACE", b.namespace, "HOST", b.host).Replace(p.config)
	if err := os.WriteFile(filepath.Join(b.dir, "mosqbuild.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	archive, agent := filepath.Join(b.dir, "image.tar"), filepath.Join(b.dir, "agent.tar")
	mosqbuild(t, b.dir, "image", "build", "--quiet", "--local", "-o", "docker-archive:"+archive)
	mosqbuild(t, b.dir, "image", "build", "--quiet", "--component", "agent", "-o", "docker-archive:"+agent)
	images := loaded[p.series]
	images.once.Do(func() {
		images.err = errors.Join(b.Load(t.Context(), archive, p.image()), b.Load(t.Context(), agent, agentImage))
	})
	if images.err != nil {
		t.Fatal(images.err)
	}
	if err := b.Namespace(t.Context(), b.namespace, p.uid); err != nil {
		t.Fatal(err)
	}
	if p.volume {
		var err error
		if b.data, err = b.Volume(t.Context(), b.Nodes[0], "data-"+p.name, "1Gi"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			b.explain(t)
		}
	})
	objects := mosqbuild(t, b.dir, "render", "--image", p.image(), "--agent-image", agentImage)
	if _, err := b.Apply(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
	return b
}

// explain says what the cluster has to say of a failure.
func (b broker) explain(t *testing.T) {
	for _, args := range [][]string{
		{"get", "all,pvc,routes", "-o", "wide"},
		{"get", "events", "--sort-by", ".lastTimestamp"},
		{"logs", "--all-containers", "--tail", "20", "--selector", "app.kubernetes.io/name=mosquitto"},
	} {
		cmd := exec.Command(filepath.Join(b.Binaries, "kubectl"), append([]string{"--kubeconfig", b.Kubeconfig(), "--namespace", b.namespace}, args...)...)
		out, _ := cmd.CombinedOutput()
		t.Logf("kubectl %s:\n%s", strings.Join(args, " "), out)
	}
}

func (b broker) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return kubectl(t, b.Cluster, append([]string{"--namespace", b.namespace}, args...)...)
}

// rolledOut waits for every broker to be Ready.
func (b broker) rolledOut(t *testing.T) {
	t.Helper()
	for workload := range strings.FieldsSeq(b.kubectl(t, "get", "deployments,statefulsets", "-o", "name")) {
		b.kubectl(t, "rollout", "status", workload, "--timeout", "180s")
	}
}

// pod is what the tests ask of a pod.
type pod struct {
	Metadata struct{ Name, UID string }
	Spec     struct{ NodeName string }
	Status   struct {
		ContainerStatuses []struct {
			Ready        bool
			RestartCount int
		}
	}
}

// pods returns the brokers' pods.
func (b broker) pods(t *testing.T) []pod {
	t.Helper()
	var list struct{ Items []pod }
	selector := "app.kubernetes.io/name=mosquitto"
	if b.role != "" {
		selector += ",role=" + b.role
	}
	out := b.kubectl(t, "get", "pods", "--selector", selector, "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// restarts is how often the one broker was restarted, and whether it is Ready.
func (b broker) restarts(t *testing.T) (times int, ready bool) {
	t.Helper()
	pods := b.pods(t)
	if len(pods) != 1 || len(pods[0].Status.ContainerStatuses) != 1 {
		return 0, false
	}
	s := pods[0].Status.ContainerStatuses[0]
	return s.RestartCount, s.Ready
}

// process is the one broker's process in this namespace.
func (b broker) process(t *testing.T) int {
	t.Helper()
	pods := b.pods(t)
	if len(pods) != 1 {
		t.Fatalf("%d pods run", len(pods))
	}
	pids, err := b.Processes(pods[0].Spec.NodeName, "mosquitto")
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		cgroup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if strings.Contains(string(cgroup), pods[0].Metadata.UID) {
			return pid
		}
	}
	t.Fatalf("none of the processes %v is of pod %s", pids, pods[0].Metadata.UID)
	return 0
}

// signal sends the broker's process a signal, waits until Kubernetes has
// restarted it, and returns how long that took.
func (b broker) signal(t *testing.T, s unix.Signal, limit time.Duration) time.Duration {
	t.Helper()
	before, _ := b.restarts(t)
	if err := unix.Kill(b.process(t), s); err != nil {
		t.Fatal(err)
	}
	return eventually(t, "restart after "+unix.SignalName(s), limit, func() bool {
		now, ready := b.restarts(t)
		return now == before+1 && ready
	})
}

// probe wants every check of "mosqbuild probe" to pass, run in a place's
// network, as soon as a change has reached it.
func (b broker) probe(t *testing.T, where, host string, args ...string) {
	t.Helper()
	var err error
	for end := time.Now().Add(soon); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = b.tryProbe(t, where, host, args...); err == nil {
			return
		}
	}
	t.Errorf("probing %s from %s: %v", host, where, err)
}

func (b broker) tryProbe(t *testing.T, where, host string, args ...string) error {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{file, "probe", host, "--config", filepath.Join(b.dir, "mosqbuild.yaml"), "--format", "json", "--timeout", "5s"}, args...)
	var got struct {
		OK     bool
		Checks []any
	}
	out, err := try(b.Command(t.Context(), where, args...))
	if err == nil {
		err = json.Unmarshal([]byte(out), &got)
	}
	if err == nil && (!got.OK || len(got.Checks) < 5) {
		err = fmt.Errorf("%s", out)
	}
	return err
}

// client is mosquitto_pub or mosquitto_sub, logged in, on a node, to a Service's
// listener without TLS.
func (b broker) client(t *testing.T, name, service, port string, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{name, "-h", b.service(t, service), "-p", port, "-q", "1"}, args...)
	return b.loggedIn(b.Command(t.Context(), b.Nodes[0], args...))
}

// through is mosquitto_pub or mosquitto_sub, logged in, from outside through
// the Route.
func (b broker) through(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{name, "-h", b.host, "-p", "443", "--cafile", filepath.Join(b.dir, ".mosqbuild", "certs", "ca.crt")}, args...)
	return b.loggedIn(b.Command(t.Context(), cluster.Outside, args...))
}

// to is b by another host.
func (b broker) to(host string) broker {
	b.host = host
	return b
}

// loggedIn gives cmd the options that render names on stderr.
func (b broker) loggedIn(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(b.dir, ".mosqbuild", "client"))
	return cmd
}

// retained waits for a Service's broker to have a retained message.
func (b broker) retained(t *testing.T, service, port, topic, want string) {
	t.Helper()
	var got string
	eventually(t, fmt.Sprintf("%s = %q at %s", topic, want, service), soon, func() bool {
		got, _ = try(b.client(t, "mosquitto_sub", service, port, "-t", topic, "-C", "1", "-W", "2"))
		return got == want
	})
}

// service is the cluster's address of a Service.
func (b broker) service(t *testing.T, name string) string {
	t.Helper()
	return b.kubectl(t, "get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
}

// nodePort is where a Service's port is on the nodes.
func (b broker) nodePort(t *testing.T, service, port string) string {
	t.Helper()
	return b.kubectl(t, "get", "service", service, "-o", `jsonpath={.spec.ports[?(@.name=="`+port+`")].nodePort}`)
}

// tls is the Service of the listener with TLS.
func (b broker) tls() string {
	if b.split {
		return "mosquitto-tls"
	}
	return "mosquitto"
}

// soon is time enough for a change to reach all nodes of a busy machine.
const soon = time.Minute
