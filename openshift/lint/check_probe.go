package lint

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mosqbuild/mosqbuild/config"
)

// probes are a container's probes by their field's name.
func probes(c *corev1.Container) map[string]*corev1.Probe {
	all := map[string]*corev1.Probe{"livenessProbe": c.LivenessProbe, "readinessProbe": c.ReadinessProbe, "startupProbe": c.StartupProbe}
	for name, probe := range all {
		if probe == nil {
			delete(all, name)
		}
	}
	return all
}

func checkProbes(p *project, r *report) {
	for _, b := range p.brokers {
		all := probes(b.container)
		for _, name := range sortedKeys(all) {
			switch probe := all[name]; {
			case probe.TCPSocket != nil:
				b.tcpProbe(r, name, probe.TCPSocket.Port)
			case probe.HTTPGet != nil:
				b.httpProbe(r, name, probe.HTTPGet.Port)
			case probe.Exec != nil:
				p.execProbe(r, b, name, probe.Exec.Command)
			}
		}
	}
}

// known tells whether all of the broker's listeners are.
func (b *broker) known() bool {
	return !b.portArgument() && b.conf != nil && !b.conf.includes() && len(b.conf.listeners) > 0
}

// portArgument tells whether the command line opens a listener, too.
func (b *broker) portArgument() bool {
	line := b.commandLine()
	return slices.Contains(line, "-p") || slices.Contains(line, "--port")
}

// guarded tells whether the broker is a guard's child: see mosqagent.
func (b *broker) guarded() bool {
	c := b.container.Command
	return len(c) > 1 && path.Base(c[0]) == path.Base(config.AgentPath) && c[1] == "guard"
}

// guards tells whether port is one of a guard's, whose child the broker is.
func (b *broker) guards(port int) bool {
	return b.guarded() && (port == config.PortGuard || port == config.PortHealth)
}

// reachable judges the port that the kubelet dials at the pod's address. It
// returns "" for a good one, or what is wrong.
func (b *broker) reachable(port intstr.IntOrString) string {
	n := int(port.IntVal)
	if port.Type == intstr.String {
		if n = namedPort(b.container, port.StrVal); n == 0 {
			return "the container declares no port named " + port.StrVal
		}
	}
	l, ok := b.conf.listener(n)
	switch {
	case b.guards(n):
		return ""
	case !ok:
		return "the broker doesn't listen on " + strconv.Itoa(n)
	case l.local():
		return "the broker listens on " + strconv.Itoa(n) + " on the loopback interface alone, and the kubelet dials the pod's address"
	}
	return ""
}

const execFix = "probe with MQTT: exec mosquitto_sub -h 127.0.0.1 -p PORT -t '$SYS/broker/version' -C 1 -W 2"

func (b *broker) tcpProbe(r *report, name string, port intstr.IntOrString) {
	at := b.in(name, "tcpSocket", "port")
	if b.known() {
		if wrong := b.reachable(port); wrong != "" {
			r.add("MQ503", at, execFix, "%s: %s", name, wrong)
			return
		}
	}
	if name != "startupProbe" {
		r.add("MQ504", b.in(name, "tcpSocket"), execFix, "%s: a broker that hangs still accepts connections", name)
	}
}

func (b *broker) httpProbe(r *report, name string, port intstr.IntOrString) {
	if !b.known() {
		return
	}
	at := b.in(name, "httpGet", "port")
	if wrong := b.reachable(port); wrong != "" {
		r.add("MQ503", at, execFix, "%s: %s", name, wrong)
		return
	}
	n := int(port.IntVal)
	if port.Type == intstr.String {
		n = namedPort(b.container, port.StrVal)
	}
	if l, _ := b.conf.listener(n); !b.guards(n) && !l.http() {
		r.add("MQ503", at, execFix, "%s: the listener on %d doesn't answer HTTP", name, n)
	}
}

var (
	clientCommand = regexp.MustCompile(`\bmosquitto_(?:sub|pub|rr)\b[^;|&\n]*`)
	portOption    = regexp.MustCompile(`\s(?:-p|--port)[\s=]*["']?([^\s"']+)`)
	hostOption    = regexp.MustCompile(`\s(?:-h|--host)[\s=]*["']?([^\s"']+)`)
	otherTarget   = regexp.MustCompile(`\s(?:-L|--url|--unix)\b`)
	tlsOption     = regexp.MustCompile(`\s--(?:cafile|capath|cert|psk|tls-use-os-certs)\b`)
)

func (p *project) execProbe(r *report, b *broker, name string, command []string) {
	line := clientCommand.FindString(strings.Join(command, " "))
	if line == "" || otherTarget.MatchString(line) {
		return
	}
	at := func(i int) place { return b.in(name, "exec", "command", i) }
	if m := hostOption.FindStringSubmatch(line); m != nil && !localHost(m[1]) {
		if p.isService(m[1], b) {
			r.add("MQ505", at(wordWith(command, m[1])), "ask the broker beside it: -h 127.0.0.1", "%s: asks whatever is behind the Service %s", name, m[1])
		}
		return
	}
	port, word := 1883, 0
	if tlsOption.MatchString(line) {
		port = 8883
	}
	if m := portOption.FindStringSubmatch(line); m != nil {
		var err error
		if port, err = strconv.Atoi(m[1]); err != nil {
			return // a variable's value
		}
		word = wordWith(command, m[1])
	}
	if !b.known() {
		return
	}
	if _, ok := b.conf.listener(port); !ok {
		r.add("MQ503", at(word), "ask a port that the broker listens on", "%s: the broker doesn't listen on %d", name, port)
	}
}

func localHost(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "$")
}

// isService tells whether a host is a Service: by one given, or by its name.
func (p *project) isService(host string, b *broker) bool {
	name, rest, _ := strings.Cut(host, ".")
	_, s := find[*corev1.Service](p, b.namespace, name)
	return s != nil || strings.HasSuffix(rest, ".svc") || strings.Contains(rest, ".svc.")
}

// wordWith is the first word of a command that is a value, or has it in it.
func wordWith(command []string, value string) int {
	for i, w := range command {
		if w == value {
			return i
		}
	}
	for i, w := range command {
		if strings.Contains(w, value) {
			return i
		}
	}
	return 0
}
