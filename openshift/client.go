package openshift

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/shell"
)

// routePort is where an OpenShift router accepts TLS.
const routePort = 443

// Client says where a client on this machine finds its login and its CA.
type Client struct {
	OptionsDir string // for XDG_CONFIG_HOME: the folder of the option files
	CA         string // file of the CA's certificate
}

// Commands returns, as text of several lines, the commands with which c
// subscribes to the deployment of cfg, from outside and within the cluster, and
// for WebSockets the URL.
func (c Client) Commands(cfg config.Config) string {
	var out strings.Builder
	d := objects{cfg: cfg}
	shown := shown(cfg)
	if cfg.HasTLS() && cfg.TLS.InCluster() {
		c.CA = config.CAFile
		fmt.Fprintf(&out, "The CA is made in the cluster; fetch it first:\n  %s\n", d.fetchCA())
	}
	if l, routed := d.routed(); routed {
		c.throughRoute(&out, cfg, l)
	} else if !cfg.Deploy.Routed() {
		host := c.outsideHost(&out, cfg)
		out.WriteString("From outside the cluster:\n")
		for _, l := range shown {
			fmt.Fprintf(&out, "  %s\n", c.command(host, l.Port, l))
		}
	}
	for _, l := range shown {
		how := "without TLS"
		if l.TLS {
			how = "with TLS"
		}
		if l.WebSockets {
			how += ", over WebSockets"
		}
		fmt.Fprintf(&out, "Within the cluster, %s:\n  %s\n", how, c.command(d.serviceHost(l.TLS), l.Port, l))
	}
	return out.String()
}

// shown are the first listener with TLS, the first without, and all for
// WebSockets.
func shown(cfg config.Config) (all []config.Listener) {
	for _, tls := range []bool{true, false} {
		if l, ok := cfg.Listener(tls); ok {
			all = append(all, l)
		}
	}
	for _, l := range cfg.Listeners {
		if l.WebSockets {
			all = append(all, l)
		}
	}
	return all
}

func (c Client) throughRoute(out *strings.Builder, cfg config.Config, l config.Listener) {
	host := cfg.Deploy.Host
	if host == "" {
		host = "HOST"
		fmt.Fprintf(out, "No host was given, so the router chooses HOST: %s -o jsonpath='{.spec.host}'\n", inNamespace("oc get route "+cfg.Name, cfg))
		switch {
		case cfg.TLS.InCluster():
			out.WriteString("The server certificate must carry it: put it into deploy.host\n")
		case cfg.TLS.Source == config.SourceFiles:
			out.WriteString("The server certificate must carry it: have it issued with that name, and put it into deploy.host\n")
		default:
			out.WriteString("The server certificate must carry it: mosqbuild certs init --force --host HOST, and render again\n")
		}
	}
	fmt.Fprintf(out, "From outside the cluster, through the Route (the router finds the broker by the TLS\n"+
		"server name, SNI, which is the host given):\n  %s\n", c.command(host, routePort, l))
}

// outsideHost is the name or the address that clients outside connect to.
func (c Client) outsideHost(out *strings.Builder, cfg config.Config) string {
	d := cfg.Deploy
	if d.Ingress == config.IngressTraefik && d.Profile == config.ProfileHA {
		if d.Host == "" {
			out.WriteString("HOST is a name or address of Traefik's; give deploy.host for one that the certificate carries\n")
		}
		return cmp.Or(d.Host, "HOST")
	}
	host := cmp.Or(d.Host, d.LoadBalancer.Address, "ADDRESS")
	if host == "ADDRESS" {
		fmt.Fprintf(out, "The load balancer chooses ADDRESS: %s -o jsonpath='{.status.loadBalancer.ingress[0].ip}'\n"+
			"The server certificate doesn't carry it: give deploy.loadBalancer.address, or deploy.host\n",
			inNamespace("kubectl get service "+cfg.Name, cfg))
	}
	return host
}

// fetchCA is the command that writes the cluster's CA into a file.
func (d objects) fetchCA() string {
	if d.cfg.TLS.Source == config.SourceServiceCA {
		return inNamespace("oc get configmap "+caName(d.cfg.Name), d.cfg) + ` -o jsonpath='{.data.service-ca\.crt}' > ` + config.CAFile
	}
	return inNamespace("kubectl get secret "+tlsName(d.cfg.Name), d.cfg) + ` -o jsonpath='{.data.ca\.crt}' | base64 -d > ` + config.CAFile
}

func inNamespace(command string, cfg config.Config) string {
	if ns := cfg.Deploy.Namespace; ns != "" {
		command += " -n " + ns
	}
	return command
}

// command is how to reach the listener l at that host and port.
func (c Client) command(host string, port int, l config.Listener) string {
	switch {
	case l.WebSockets && l.TLS:
		return "wss://" + net.JoinHostPort(host, strconv.Itoa(port))
	case l.WebSockets:
		return "ws://" + net.JoinHostPort(host, strconv.Itoa(port))
	}
	s := fmt.Sprintf("XDG_CONFIG_HOME=%s mosquitto_sub -h %s -p %d", shell.Quote(c.OptionsDir), host, port)
	if l.TLS {
		s += " --cafile " + shell.Quote(c.CA)
	}
	return s + " -t '#' -v"
}

// serviceHost is the Service's name as far as the server certificate has it.
func (d objects) serviceHost(tls bool) string {
	name := d.cfg.Name
	if tls && d.cfg.Deploy.Profile == config.ProfileOpenShift {
		name = tlsName(name)
	}
	if ns := d.cfg.Deploy.Namespace; ns != "" {
		return name + "." + ns + ".svc"
	}
	if tls && d.cfg.TLS.Source == config.SourceServiceCA {
		return name + ".NAMESPACE.svc" // the service CA signs no shorter name
	}
	return name
}
