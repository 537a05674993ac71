package lint

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const bridgeFix = "keep the connection on one side only, with topics \"both\": it carries messages both ways"

// site is a broker as bridges see it: where it stands, and its configuration.
type site struct {
	name   string
	conf   *conf
	broker *broker // nil for a file that no object mounts
}

func checkBridges(p *project, r *report) {
	sites := p.sites()
	for i, a := range sites {
		for _, other := range sites[i+1:] {
			p.twoSided(r, a, other, len(sites) == 2)
		}
		for _, b := range a.conf.bridges {
			if p.leads(b, a, false) && b.loopsAlone() {
				r.add("MQ101", b.place, "run this connection on one broker only, with a configuration of its own", "the connection leads back to its own broker")
			}
		}
	}
	for _, w := range p.workloads {
		p.scriptedBridge(r, w)
	}
}

func (p *project) sites() []site {
	var sites []site
	taken := map[*conf]bool{}
	for _, b := range p.brokers {
		if b.conf != nil {
			sites = append(sites, site{b.title(), b.conf, b})
			taken[b.conf] = true
		}
	}
	for _, c := range p.confs {
		if !taken[c] {
			sites = append(sites, site{fmt.Sprintf("%s:%d", c.file, c.line), c, nil})
		}
	}
	return sites
}

func (p *project) twoSided(r *report, a, b site, onlyTwo bool) {
	if a.conf == b.conf {
		return
	}
	for _, x := range a.conf.bridges {
		for _, y := range b.conf.bridges {
			if p.leads(x, b, onlyTwo) && p.leads(y, a, onlyTwo) && !sameHosts(x, y) && loops(x, y) {
				r.add("MQ101", x.place, bridgeFix, "%s defines a connection back to this broker (line %d of %s): every message goes round", b.name, y.line, y.file)
				r.add("MQ101", y.place, bridgeFix, "%s defines a connection back to this broker (line %d of %s): every message goes round", a.name, x.line, x.file)
			}
		}
	}
}

// sameHosts tells whether two bridges lead to one place, so that they can't
// lead to each other's broker.
func sameHosts(x, y bridge) bool {
	for _, a := range x.addresses {
		for _, b := range y.addresses {
			if a.host == b.host {
				return true
			}
		}
	}
	return false
}

// leads tells whether a bridge connects to a site. Of two files alone, that no
// object mounts, the ports decide where the names don't, and may be those of hosts
// beside each other.
func (p *project) leads(b bridge, to site, onlyTwo bool) bool {
	for _, a := range b.addresses {
		switch {
		case to.broker != nil:
			if p.resolves(a.host, to.broker) {
				return true
			}
		case namedAfter(to.conf.file, a.host):
			return true
		case onlyTwo && !isDomain(a.host):
			if _, ok := to.conf.listener(a.port); ok {
				return true
			}
		}
	}
	return false
}

// isDomain tells whether a host is one out in the world, by its name: not in a
// cluster, nor in a domain that is everybody's own.
func isDomain(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	own := []string{"local", "lan", "internal", "arpa"}
	return len(labels) > 1 && net.ParseIP(host) == nil && !slices.Contains(labels, "svc") && !slices.Contains(own, labels[len(labels)-1])
}

// resolves tells whether a name in the cluster leads to a broker: that of a
// Service that selects it, or of a pod of its StatefulSet.
func (p *project) resolves(host string, b *broker) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if b.kind == "StatefulSet" && len(labels) > 1 && podOf(labels[0], b.name) {
		labels = labels[1:]
	}
	if len(labels) > 1 && labels[1] != b.namespace && b.namespace != "" {
		return false
	}
	_, s := find[*corev1.Service](p, b.namespace, labels[0])
	return s != nil && b.selected(b.object, s.Spec.Selector)
}

var ordinal = regexp.MustCompile(`^-\d+$`)

func podOf(pod, set string) bool {
	rest, ok := strings.CutPrefix(pod, set)
	return ok && ordinal.MatchString(rest)
}

// namedAfter tells whether a file, or the folder it is in, bears the name of a
// host: primary.conf or primary/mosquitto.conf and mosquitto-primary.
func namedAfter(file, host string) bool {
	host, _, _ = strings.Cut(host, ".")
	stem := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if stem == "mosquitto" {
		stem = filepath.Base(filepath.Dir(file))
	}
	for _, part := range strings.Split(host, "-") {
		if part == stem && part != "" {
			return true
		}
	}
	return host == stem
}

var (
	writesBridge = regexp.MustCompile(`(?:^|\n|\\n|['"\s])connection\s+\S+`)
	writesTopic  = regexp.MustCompile(`(?:^|\n|\\n|['"\s])topic\s+\S+\s+(?:both|out)\b`)
)

// scriptedBridge finds several replicas that each write themselves a connection
// to the others.
func (p *project) scriptedBridge(r *report, w *workload) {
	if w.replicas < 2 {
		return
	}
	for list, containers := range map[string][]corev1.Container{"initContainers": w.spec.InitContainers, "containers": w.spec.Containers} {
		for i, c := range containers {
			for field, words := range map[string][]string{"command": c.Command, "args": c.Args} {
				for j, word := range words {
					if writesBridge.MatchString(word) && writesTopic.MatchString(word) {
						r.add("MQ101", w.pod(list, i, field, j), bridgeFix, "each of the %d replicas writes itself a connection to the others: every message goes round", w.replicas)
					}
				}
			}
		}
	}
}
