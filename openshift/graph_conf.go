package openshift

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/mosqbuild/mosqbuild/config"
)

// brokerConf is what is drawn of a mosquitto.conf.
type brokerConf struct {
	listeners []confListener
	bridges   []confBridge
}

type confListener struct {
	port string
	tls  bool
}

type confBridge struct {
	name, address string
	topics        []string
}

// readConf reads a mosquitto.conf. It takes no fault amiss.
func readConf(text string) brokerConf {
	var c brokerConf
	var listener *confListener
	var bridge *confBridge
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || strings.HasPrefix(words[0], "#") {
			continue
		}
		switch words[0] {
		case "listener":
			c.listeners = append(c.listeners, confListener{port: words[1]})
			listener = &c.listeners[len(c.listeners)-1]
		case "connection":
			c.bridges = append(c.bridges, confBridge{name: words[1]})
			bridge = &c.bridges[len(c.bridges)-1]
		}
		if listener != nil && words[0] == "certfile" {
			listener.tls = true
		}
		if bridge == nil {
			continue
		}
		switch words[0] {
		case "address", "addresses":
			bridge.address = words[1]
		case "topic":
			direction := "out" // the broker's default
			if len(words) > 2 {
				direction = words[2]
			}
			bridge.topics = append(bridge.topics, words[1]+" "+direction)
		}
	}
	return c
}

// confs are the texts of the configurations that the pod mounts, in the order
// of its volumes.
func (g *graph) confs(p pod) []string {
	var texts []string
	for _, v := range p.spec.Volumes {
		for _, name := range configMaps(v) {
			for _, m := range g.objects {
				if m.Kind != "ConfigMap" || m.Name != name || m.namespace != p.namespace {
					continue
				}
				data := walkTo(m.content, []string{"data"})
				for _, key := range sorted(data) {
					if text, ok := data[key].(string); ok && strings.HasSuffix(key, ".conf") {
						texts = append(texts, text)
					}
				}
			}
		}
	}
	return texts
}

// configMaps are the names of the ConfigMaps in a volume.
func configMaps(v corev1.Volume) []string {
	var names []string
	if v.ConfigMap != nil {
		names = append(names, v.ConfigMap.Name)
	}
	if v.Projected != nil {
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil {
				names = append(names, s.ConfigMap.Name)
			}
		}
	}
	return names
}

// bridges draws each bridge in its broker, and the way to the Service that it
// names.
func (g *graph) bridges(p pod) {
	for _, text := range g.confs(p) {
		for _, b := range readConf(text).bridges {
			if b.address == "" {
				continue
			}
			peer := g.peer(p, b.address)
			n := node{id: g.id(p.Kind+"_"+p.Name, "to_"+b.name), label: []string{"bridge " + b.name}, shape: shapeClient}
			g.nodes[p.node].inside = append(g.nodes[p.node].inside, n)
			g.connect(n.id, arrowBridge, peer, strings.Join(b.topics, ", "))
		}
	}
}

// peer is what a bridge's address, HOST[:PORT], leads to: a Service, or a host
// elsewhere.
func (g *graph) peer(p pod, address string) string {
	host, port, _ := strings.Cut(address, ":")
	if host == "127.0.0.1" && port == strconv.Itoa(config.PortBridgeGate) {
		return g.gate(p)
	}
	name, rest, _ := strings.Cut(host, ".")
	namespace, _, dotted := strings.Cut(rest, ".")
	if rest == "" {
		namespace = p.namespace
	}
	for _, m := range g.objects {
		if m.is("", "Service") && m.Name == name && (m.namespace == namespace || dotted && m.namespace == "") {
			return g.nodes[m.node].id
		}
	}
	return g.someone(address)
}

// gate is where the guard beside a broker passes its bridge on to: the bridge's
// listener of the other broker of the pair.
func (g *graph) gate(p pod) string {
	for _, other := range g.pods {
		id := other.listeners[config.PortBridge]
		same := other.namespace == p.namespace && other.labels[labelInstance] == p.labels[labelInstance]
		if id != "" && same && other.labels[config.LabelRole] != p.labels[config.LabelRole] {
			return id
		}
	}
	return g.someone("the guard's other broker")
}

// labelInstance is the deployment's name.
const labelInstance = "app.kubernetes.io/instance"

// switched tells whether a Service without selector is a pair's, whose
// controllers lead it to the broker that serves.
func (g *graph) switched(m *member, s corev1.Service, p pod) bool {
	role := p.labels[config.LabelRole]
	return len(s.Spec.Selector) == 0 && s.Spec.Type != corev1.ServiceTypeExternalName && role != "" && p.namespace == m.namespace &&
		slices.Contains([]string{config.RolePrimary, config.RoleSecondary}, role) && s.Name == p.labels[labelInstance]
}
