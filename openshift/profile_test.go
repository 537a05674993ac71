package openshift_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/openshift"
	"github.com/mosqbuild/mosqbuild/openshift/crd"
)

// The brokers of a pair keep off each other's node, and the objects that are
// for both or for one select just those.
func TestPair(t *testing.T) {
	cfg := deployments()["ha"]
	objs := objects(t, cfg)
	pods := map[string]map[string]string{}
	brokers(t, cfg, objs, func(role string, d broker, c corev1.Container) {
		pods[role] = d.template.Labels
		terms := d.template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		for _, other := range []string{config.RolePrimary, config.RoleSecondary} {
			labels := maps.Clone(d.template.Labels)
			labels[config.LabelRole] = other
			if len(terms) != 1 || terms[0].TopologyKey != "kubernetes.io/hostname" || !selects(terms[0].LabelSelector.MatchLabels, labels) {
				t.Errorf("the %s doesn't keep off the %s: %+v", role, other, terms)
			}
		}
		bridges := strings.Contains(conf(t, objs, d.name), "\nconnection ")
		if bridges != (role == config.RoleSecondary) {
			t.Errorf("the %s has a bridge: %v", role, bridges)
		}
	})
	for name, want := range map[string][]string{
		"mosquitto-primary": {config.RolePrimary}, "mosquitto-primary-guard": {config.RolePrimary},
		"mosquitto-secondary": {config.RoleSecondary}, "mosquitto-secondary-guard": {config.RoleSecondary},
	} {
		s := find[corev1.Service](objs)
		i := slices.IndexFunc(s, func(s *corev1.Service) bool { return s.Name == name })
		for role, labels := range pods {
			if selects(s[i].Spec.Selector, labels) != slices.Contains(want, role) {
				t.Errorf("Service %s and the %s: %v", name, role, s[i].Spec.Selector)
			}
		}
	}
	if clients := find[corev1.Service](objs)[0]; clients.Name != "mosquitto" || clients.Spec.Selector != nil {
		t.Errorf("Service %s has the selector %v, which is the controllers' to write", clients.Name, clients.Spec.Selector)
	}
	budget := find[policyv1.PodDisruptionBudget](objs)[0]
	if budget.Spec.MinAvailable.IntVal != 1 || !selects(budget.Spec.Selector.MatchLabels, pods[config.RolePrimary]) || !selects(budget.Spec.Selector.MatchLabels, pods[config.RoleSecondary]) {
		t.Errorf("the budget is %+v", budget.Spec)
	}
	roles, bindings := find[rbacv1.Role](objs), find[rbacv1.RoleBinding](objs)
	role, binding := roles[0], bindings[0]
	if len(role.Rules) != 1 || !slices.Equal(role.Rules[0].ResourceNames, []string{"mosquitto"}) || !slices.Equal(role.Rules[0].Resources, []string{"services"}) ||
		!slices.Equal(role.Rules[0].Verbs, []string{"get"}) {
		t.Errorf("the guards may %+v", role.Rules)
	}
	may := map[string]string{}
	for _, r := range roles[1].Rules {
		may[r.APIGroups[0]+"/"+strings.Join(r.Resources, " ")+"/"+strings.Join(r.ResourceNames, " ")] = strings.Join(r.Verbs, " ")
	}
	if !maps.Equal(may, map[string]string{
		"/services/mosquitto": "get patch", "coordination.k8s.io/leases/mosquitto-failover": "get update", "/events/": "create",
	}) {
		t.Errorf("the controllers may %v", may)
	}
	account := find[corev1.ServiceAccount](objs)[0]
	if s := binding.Subjects[0]; s.Name != account.Name || s.Namespace != cfg.Deploy.Namespace || binding.RoleRef.Name != role.Name {
		t.Errorf("the binding is of %+v to %+v", binding.Subjects, binding.RoleRef)
	}
}

// The bridge connects to the guard beside it, and that one to the primary's pod.
func TestBridgeAddress(t *testing.T) {
	cfg := deployments()["ha"]
	objs := objects(t, cfg)
	_, rest, _ := strings.Cut(conf(t, objs, "mosquitto-secondary"), "\naddress ")
	address, _, _ := strings.Cut(rest, "\n")
	if address != "127.0.0.1:8885" {
		t.Errorf("the bridge connects to %q", address)
	}
	for _, s := range find[corev1.Service](objs) {
		has := slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == config.PortBridge })
		if has != (s.Name == cfg.Agent(nil).Guards(config.RolePrimary)) {
			t.Errorf("Service %s has the bridge's port: %v", s.Name, has)
		}
	}
}

func TestBalancedService(t *testing.T) {
	for _, name := range []string{"loadbalancer", "ha"} {
		cfg := deployments()[name]
		s := find[corev1.Service](objects(t, cfg))[0]
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyCluster || len(s.Spec.Ports) != 2 {
			t.Errorf("%s: %+v", name, s.Spec)
		}
		if name == "loadbalancer" && !maps.Equal(s.Annotations, map[string]string{
			"lbipam.cilium.io/ips": "192.0.2.7", "external-dns.alpha.kubernetes.io/hostname": "mqtt.example.com", "example.com/pool": "lan",
		}) {
			t.Errorf("annotations %v", s.Annotations)
		}
	}
}

// A Route's clients come through the router, and else from the namespace;
// others' from anywhere. The bridge's listener is the brokers' alone.
func TestNetworkPolicy(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		policies := find[networkingv1.NetworkPolicy](objects(t, cfg))
		want, ports := 1, len(cfg.Listeners)
		var router []int // first ports that it may use
		for _, l := range routed(cfg) {
			if router = append(router, l.Port); cfg.Deploy.Profile == config.ProfileHA {
				i := slices.Index(cfg.Listeners, l)
				router = append(router[:len(router)-1], 20000+1000*i, l.Port+10000)
			}
		}
		if cfg.Deploy.Profile == config.ProfileHA {
			want, ports = 2, 2*ports
		}
		if len(policies) != want {
			t.Fatalf("%d policies", len(policies))
		}
		rules := policies[0].Spec.Ingress
		clients := rules[0]
		fromNamespace := len(clients.From) == 1 && clients.From[0].PodSelector != nil && clients.From[0].NamespaceSelector == nil
		if len(clients.Ports) != ports || fromNamespace != cfg.Deploy.Routed() || !fromNamespace && clients.From != nil {
			t.Errorf("for clients: %+v", clients)
		}
		rest := rules[1:]
		if router != nil && cfg.Deploy.Routed() && cfg.TLS.Source != config.SourceServiceCA {
			if len(rest) == 0 || !slices.Equal(firstPorts(rest[0]), router) || len(rest[0].From) != 2 || rest[0].From[0].NamespaceSelector == nil {
				t.Fatalf("for the router, want %v: %+v", router, rest)
			}
			rest = rest[1:]
		}
		if cfg.Deploy.Profile == config.ProfileHA {
			if len(rest) == 0 || rest[0].Ports[0].Port.IntValue() != config.PortBridge || rest[0].From[0].PodSelector == nil {
				t.Fatalf("for the bridge: %+v", rest)
			}
			rest = rest[1:]
			agents := policies[1].Spec.Ingress
			if !reflect.DeepEqual(rest, agents) || len(agents) != 2 || len(agents[0].From) != 2 || agents[0].Ports[0].Port.IntValue() != config.PortGuard ||
				agents[1].From != nil || agents[1].Ports[0].Port.IntValue() != config.PortHealth {
				t.Fatalf("for the agents: %+v, %+v", rest, agents)
			}
			rest = nil
		}
		if len(rest) != 0 {
			t.Errorf("more: %+v", rest)
		}
	})
}

// firstPorts are the ports of a rule, of a range of a slot's the first.
func firstPorts(rule networkingv1.NetworkPolicyIngressRule) (all []int) {
	for _, p := range rule.Ports {
		first := p.Port.IntValue()
		if p.EndPort != nil && int(*p.EndPort) != first+config.Slots-1 {
			first = 0
		}
		all = append(all, first)
	}
	return all
}

func TestRefusedWishes(t *testing.T) {
	pair := deployments()["ha"]
	nowhere, plain, port, web, entry, broker, both := pair, pair, pair, pair, pair, pair, pair
	nowhere.Deploy.Namespace = ""
	plain.Deploy.Ingress, plain.Listeners = config.IngressRoute, plain.Listeners[:1]
	port.Listeners = []config.Listener{{Name: "mqtt", Port: 1883}, {Name: "mqtts", Port: 3883, TLS: true}}
	web.Listeners = []config.Listener{{Name: "mqtt", Port: 2883}, {Name: "ws", Port: 3883, WebSockets: true}}
	for listener, cfg := range map[config.Listener]*config.Config{
		{Name: "web", Port: 1883}: &entry, {Name: "mqtt-primary", Port: 1883}: &broker, {Name: "mqtt", Port: 2883}: &both,
	} {
		cfg.Deploy.Ingress, cfg.Listeners = config.IngressTraefik, []config.Listener{listener}
	}
	for name, c := range map[string]struct {
		cfg  config.Config
		o    openshift.Options
		want string
	}{
		"Traefik's own entry":   {entry, openshift.Options{}, `"web": Traefik has an entry point`},
		"a broker's entry":      {broker, openshift.Options{}, "leads to the Service mosquitto-primary"},
		"two entries, one port": {both, openshift.Options{}, "2883 is the plain port"},
		"no namespace":          {nowhere, openshift.Options{}, "needs deploy.namespace"},
		"a Route to plain":      {plain, openshift.Options{}, "listener with TLS"},
		"a port twice":          {port, openshift.Options{}, "3883 is the plain port"},
		"WebSockets' port":      {web, openshift.Options{}, `"ws": 3883 is the plain port`},
		"ports without":         {pair, openshift.Options{TraefikPorts: true}, "ingress traefik"},
		"ports elsewhere":       {config.Default(), openshift.Options{TraefikPorts: true}, "profile ha"},
		"a namespace unnamed":   {config.Default(), openshift.Options{CreateNamespace: true}, "no namespace"},
		"a name far too long":   {named(pair, strings.Repeat("a", 54)), openshift.Options{}, "-secondary"},
		"a size that is no one": {sized(pair, "1Zi"), openshift.Options{}, `"1Zi"`},
	} {
		c.o.Image, c.o.AgentImage = image, agentImage
		if _, err := openshift.Objects(c.cfg, bundle(t, c.cfg), c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}

// TestTraefikPorts: where Traefik listens already, it takes clients at that port
// through another one of its own.
func TestTraefikPorts(t *testing.T) {
	cfg := profiles()["ha-traefik"]
	cfg.Mosquitto, cfg.Listeners = "2.1", append(slices.Clone(cfg.Listeners), config.Listener{Name: "wss", Port: 8443, TLS: true, WebSockets: true})
	var values struct {
		Ports map[string]struct{ Port, ExposedPort int }
	}
	found := find[crd.HelmChartConfig](objects(t, cfg))
	if len(found) != 1 {
		t.Fatalf("%d of them", len(found))
	}
	if err := yaml.Unmarshal([]byte(found[0].Spec.ValuesContent), &values); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]int{"mqtts": {8883, 8883}, "wss": {18443, 8443}} {
		if p := values.Ports[name]; p.Port != want[0] || p.ExposedPort != want[1] {
			t.Errorf("%s: it listens at %d for %d, want %v", name, p.Port, p.ExposedPort, want)
		}
	}
}

// TestIPv6Address: in a cluster of both families a Service has IPv4 alone unless it
// asks for more.
func TestIPv6Address(t *testing.T) {
	for name, want := range map[string]string{"2001:db8::7": "[IPv6]", "192.0.2.7": "[]"} {
		for _, profile := range []string{"loadbalancer", "ha"} {
			cfg := profiles()[profile]
			cfg.Deploy.LoadBalancer.Address = name
			for _, s := range find[corev1.Service](objects(t, cfg)) {
				if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
					continue
				}
				if got := fmt.Sprint(s.Spec.IPFamilies); got != want || (want == "[]") != (s.Spec.IPFamilyPolicy == nil) {
					t.Errorf("%s, %s: families %s, policy %v, want %s", profile, name, got, s.Spec.IPFamilyPolicy, want)
				}
			}
		}
	}
}

func named(cfg config.Config, name string) config.Config { cfg.Name = name; return cfg }

func sized(cfg config.Config, size string) config.Config { cfg.Deploy.Storage.Size = size; return cfg }

// What is to be known is said where it holds, and nowhere else.
func TestNotes(t *testing.T) {
	for word, where := range map[string][]string{
		"Recreate":              slices.DeleteFunc(slices.Collect(maps.Keys(deployments())), func(name string) bool { return strings.HasPrefix(name, "ha") }),
		"no StatefulSet":        {"loadbalancer"},
		"is a StatefulSet":      {"ha", "ha-traefik", "ha-route"},
		"externalTrafficPolicy": {"loadbalancer", "ha"},
		"there is no Route":     {"service-ca"},
		"ACME":                  {"cert-manager"},
		"rollout restart":       {"service-ca", "cert-manager"},
		"has no selector":       {"ha", "ha-traefik", "ha-route"},
		"three nodes":           {"ha", "ha-traefik", "ha-route"},
		"replaces the one":      {"ha-traefik"},
		"deploy.storage":        {"ha-traefik"},
	} {
		for name, cfg := range deployments() {
			all := strings.Join(append(openshift.Notes(cfg, options(cfg)), openshift.Warnings(cfg, options(cfg))...), "\n")
			if strings.Contains(all, word) != slices.Contains(where, name) {
				t.Errorf("%s: %q is said wrongly, or not:\n%s", name, word, all)
			}
		}
	}
}

func TestCopiesShareNothing(t *testing.T) {
	r := &crd.IngressRouteTCP{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}, Spec: crd.IngressRouteTCPSpec{
		EntryPoints: []string{"mqtt"}, TLS: &crd.TLSTCP{}, Routes: []crd.RouteTCP{{Services: []crd.ServiceTCP{{Name: "a"}}}},
	}}
	c := r.DeepCopyObject().(*crd.IngressRouteTCP)
	c.Labels["a"], c.Spec.EntryPoints[0], c.Spec.TLS.Passthrough, c.Spec.Routes[0].Services[0].Name = "x", "x", true, "x"
	if r.Labels["a"] != "b" || r.Spec.EntryPoints[0] != "mqtt" || r.Spec.TLS.Passthrough || r.Spec.Routes[0].Services[0].Name != "a" {
		t.Errorf("changed along: %+v", r)
	}
	cert := &crd.Certificate{Spec: crd.CertificateSpec{DNSNames: []string{"a"}, IPAddresses: []string{"b"}, Usages: []string{"c"}}}
	d := cert.DeepCopyObject().(*crd.Certificate)
	d.Spec.DNSNames[0], d.Spec.IPAddresses[0], d.Spec.Usages[0] = "x", "x", "x"
	if cert.Spec.DNSNames[0] != "a" || cert.Spec.IPAddresses[0] != "b" || cert.Spec.Usages[0] != "c" {
		t.Errorf("changed along: %+v", cert)
	}
}
