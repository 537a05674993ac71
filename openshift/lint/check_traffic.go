package lint

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var trafficRules = []Rule{
	{"MQ501", Error, "Listener without a Service port", "Other Services lead to this broker, none to this listener: no client reaches it."},
	{"MQ502", Error, "Service port without a listener", "Connections to it are refused: the broker doesn't listen where it leads."},
	{"MQ503", Error, "Probe that matches no listener", "It fails for ever: the pod is never ready, or is restarted over and over."},
	{"MQ504", Warning, "Probe by TCP alone", "The kernel completes connections for a broker that hangs: stopped by a signal, it still answered in 1 ms, while MQTT timed out."},
	{"MQ505", Warning, "Probe through a Service", "It asks whichever broker the Service leads to: a healthy one is restarted for the network's or another one's fault, and a sick one passes."},
}

// route is a Service's port that leads to a broker.
type route struct {
	service *object
	index   int
	target  int // 0 where a name leads nowhere
	name    string
}

func checkServices(p *project, r *report) {
	for _, b := range p.brokers {
		routes := p.routes(b)
		reached := map[int]bool{}
		for _, t := range routes {
			reached[t.target] = true
			b.leadsNowhere(r, t)
		}
		// A port that leads to a name nobody has may be meant for any listener.
		if len(routes) == 0 || reached[0] || b.spec.HostNetwork || !b.known() {
			continue
		}
		for _, l := range b.conf.listeners {
			if !l.local() && !reached[l.port] && !b.hostPort(l.port) && !p.standsBy(b, l.port) && !p.led(b, l.port) {
				r.add("MQ501", l.place, "add the port to a Service, or bind the listener to 127.0.0.1", "no port of a Service leads to listener %d of %s", l.port, b.title())
			}
		}
	}
}

// standsBy tells whether a Service leads to this port of another broker and
// would lead to this one if a label in its selector were changed: that is how a
// pair is switched.
func (p *project) standsBy(b *broker, port int) bool {
	for _, other := range p.brokers {
		for _, t := range p.routes(other) {
			if other.workload == b.workload || t.target != port || t.service.namespace != b.namespace {
				continue
			}
			same, differ := 0, 0
			for k, v := range t.service.typed.(*corev1.Service).Spec.Selector {
				if b.labels[k] == v {
					same++
				} else {
					differ++
				}
			}
			if same > 0 && differ == 1 {
				return true
			}
		}
	}
	return false
}

// led tells whether controllers lead a Service's port to this port of the broker:
// the Service has no selector, and the broker's guard opens another port for it.
func (p *project) led(b *broker, port int) (found bool) {
	each(p, func(o *object, s *corev1.Service) {
		found = found || b.guarded() && o.namespace == b.namespace && len(s.Spec.Selector) == 0 &&
			slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == port })
	})
	return found
}

// routes are the Service ports that lead to a broker's pod.
func (p *project) routes(b *broker) []route {
	var found []route
	each(p, func(o *object, s *corev1.Service) {
		if !b.selected(o, s.Spec.Selector) {
			return
		}
		for i, port := range s.Spec.Ports {
			if port.Protocol != "" && port.Protocol != corev1.ProtocolTCP {
				continue
			}
			target := port.TargetPort
			if target == (intstr.IntOrString{}) {
				target = intstr.FromInt32(port.Port)
			}
			found = append(found, route{o, i, b.podPort(target), target.String()})
		}
	})
	return found
}

// podPort resolves a port by the names that the pod's containers declare.
func (w *workload) podPort(p intstr.IntOrString) int {
	if p.Type == intstr.Int {
		return int(p.IntVal)
	}
	for _, c := range w.spec.Containers {
		if n := namedPort(&c, p.StrVal); n > 0 {
			return n
		}
	}
	return 0
}

func namedPort(c *corev1.Container, name string) int {
	for _, port := range c.Ports {
		if port.Name == name {
			return int(port.ContainerPort)
		}
	}
	return 0
}

func (b *broker) leadsNowhere(r *report, t route) {
	where := t.service.at("spec", "ports", t.index, "targetPort")
	if _, _, ok := at(t.service.node, "spec", "ports", t.index, "targetPort"); !ok {
		where = t.service.at("spec", "ports", t.index, "port")
	}
	if t.target == 0 {
		r.add("MQ502", where, "name a port that the pod declares", "no container of %s declares a port named %s", b.title(), t.name)
		return
	}
	if !b.known() || b.declaredBeside(t.target) || b.guards(t.target) {
		return
	}
	switch l, ok := b.conf.listener(t.target); {
	case !ok:
		r.add("MQ502", where, "lead it to a listener, or add to mosquitto.conf: listener "+strconv.Itoa(t.target), "%s doesn't listen on %d: see %s", b.title(), t.target, b.conf.where())
	case l.local():
		r.add("MQ502", where, "take the address off the listener", "%s listens on %d on the loopback interface alone", b.title(), t.target)
	}
}

// declaredBeside tells whether another container of the pod has a port.
func (b *broker) declaredBeside(port int) bool {
	for i, c := range b.spec.Containers {
		for _, p := range c.Ports {
			if i != b.index && int(p.ContainerPort) == port {
				return true
			}
		}
	}
	return false
}

func (b *broker) hostPort(port int) bool {
	for _, p := range b.container.Ports {
		if int(p.ContainerPort) == port && p.HostPort != 0 {
			return true
		}
	}
	return false
}

// checkPorts looks at declared ports where no configuration tells the
// listeners.
func checkPorts(p *project, r *report) {
	for _, b := range p.brokers {
		for i, port := range b.container.Ports {
			if b.conf == nil && port.ContainerPort > 0 && port.ContainerPort < 1024 {
				r.add("MQ103", b.in("ports", i, "containerPort"), "listen on 1883 or 8883, and let the Service map the port", "port %d, which only root may open", port.ContainerPort)
			}
		}
	}
	for _, c := range p.containers {
		for _, in := range c.last().instructions {
			if in.name != "EXPOSE" {
				continue
			}
			for _, word := range in.words {
				if n := leadingNumber(word); n > 0 && n < 1024 {
					r.add("MQ103", in.place, "listen on 1883 or 8883, and let the Service map the port", "port %d, which only root may open", n)
				}
			}
		}
	}
}
