package lint

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

var schedulingRules = []Rule{
	{"MQ401", Error, "Overlapping selectors", "A Service that selects two brokers sends each client to either: they don't see each other's messages. Of two controllers with one selector, each may count the other's pods as its own."},
	{"MQ402", Error, "Anti-affinity that doesn't bind", "The rule matches no pod, or names a topology that no node has: both brokers may land on one node and fail together."},
	{"MQ403", Error, "Required anti-affinity with RollingUpdate", "The new pod may not run beside the old one, which is ended only when the new one is ready: with no node to spare, the update never ends."},
	{"MQ404", Warning, "More than one replica of a broker", "Mosquitto doesn't cluster: each replica is a broker of its own, and a client sees only the messages of the one it landed on."},
}

func checkSelectors(p *project, r *report) {
	for i, a := range p.workloads {
		for _, b := range p.workloads[i+1:] {
			if a.namespace != b.namespace || a.brief || b.brief || a.selector == nil || b.selector == nil || a.name == b.name && a.kind == b.kind {
				continue
			}
			if a.matches(b.selector) || b.matches(a.selector) {
				r.add("MQ401", b.at("spec", "selector"), "give each a label of its own and select by it", "the selectors of %s and %s match each other's pods", a.title(), b.title())
			}
		}
	}
	each(p, func(o *object, s *corev1.Service) {
		if names := p.splits(o, s); len(names) > 1 {
			r.add("MQ401", o.at("spec", "selector"), "select by a label that one broker alone has", "%s selects the pods of %s", o.title(), strings.Join(names, " and "))
		}
	})
}

// splits returns the workloads among which a Service spreads its clients, where
// one of them is a broker. A headless Service spreads nobody.
func (p *project) splits(o *object, s *corev1.Service) []string {
	if s.Spec.ClusterIP == corev1.ClusterIPNone {
		return nil
	}
	brokers := 0
	titles := map[string]bool{}
	for _, w := range p.workloads {
		if w.selected(o, s.Spec.Selector) && !w.brief {
			titles[w.title()] = true
			if p.isBroker(w) {
				brokers++
			}
		}
	}
	if brokers == 0 {
		return nil
	}
	return sortedKeys(titles)
}

func (p *project) isBroker(w *workload) bool {
	for _, b := range p.brokers {
		if b.workload == w {
			return true
		}
	}
	return false
}

const (
	requiredTerms  = "requiredDuringSchedulingIgnoredDuringExecution"
	preferredTerms = "preferredDuringSchedulingIgnoredDuringExecution"
)

func checkAffinity(p *project, r *report) {
	for _, w := range p.workloads {
		if w.spec.Affinity == nil || w.spec.Affinity.PodAntiAffinity == nil {
			continue
		}
		anti := w.spec.Affinity.PodAntiAffinity
		for i, t := range anti.RequiredDuringSchedulingIgnoredDuringExecution {
			p.binds(r, w, t, "affinity", "podAntiAffinity", requiredTerms, i)
			if w.surges() && w.matches(t.LabelSelector) {
				r.add("MQ403", w.pod("affinity", "podAntiAffinity", requiredTerms), "set strategy.type: Recreate, or prefer instead of require", "%s updates by RollingUpdate, and its new pod may not run where the old one does", w.title())
			}
		}
		for i, t := range anti.PreferredDuringSchedulingIgnoredDuringExecution {
			p.binds(r, w, t.PodAffinityTerm, "affinity", "podAntiAffinity", preferredTerms, i, "podAffinityTerm")
		}
	}
}

// binds reports a term that keeps nothing apart.
func (p *project) binds(r *report, w *workload, t corev1.PodAffinityTerm, path ...any) {
	at := func(step string) place { return w.pod(append(append([]any{}, path...), step)...) }
	if !topology(t.TopologyKey) {
		r.add("MQ402", at("topologyKey"), "write topologyKey: kubernetes.io/hostname", "no node has the label %q by itself", t.TopologyKey)
	}
	if len(t.Namespaces) > 0 || t.NamespaceSelector != nil {
		return
	}
	others, brokers := 0, 0
	for _, o := range p.workloads {
		if o == w || o.namespace != w.namespace || o.brief {
			continue
		}
		if o.matches(t.LabelSelector) {
			others++
		}
		if p.isBroker(o) {
			brokers++
		}
	}
	switch self := w.matches(t.LabelSelector); {
	case !self && others == 0:
		r.add("MQ402", at("labelSelector"), "select a label that the pods to keep apart share", "the selector matches no pod of these files")
	case others == 0 && brokers > 0 && w.replicas <= 1 && p.isBroker(w):
		r.add("MQ402", at("labelSelector"), "select a label that the pods to keep apart share", "the selector matches the single pod of %s itself, and no other broker", w.title())
	}
}

// topology tells whether nodes may have a label: those of Kubernetes by name,
// others by having a domain in front.
func topology(key string) bool {
	domain, _, ok := strings.Cut(key, "/")
	switch key {
	case "kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
		"failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region":
		return true
	}
	return ok && domain != "kubernetes.io" && domain != "topology.kubernetes.io"
}

func checkReplicas(p *project, r *report) {
	for _, b := range p.brokers {
		if b.replicas > 1 {
			r.add("MQ404", b.at("spec", "replicas"), "set replicas: 1; for two nodes, render a pair: mosqbuild render --profile ha", "%s runs %d brokers that share no messages", b.title(), b.replicas)
		}
	}
}
