package openshift

import (
	"fmt"
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
// subscribes to the deployment of cfg, from outside and within the cluster.
func (c Client) Commands(cfg config.Config) string {
	var out strings.Builder
	if l, ok := cfg.Listener(true); ok {
		host := cfg.Deploy.Host
		if host == "" {
			host = "HOST"
			find := "oc get route " + cfg.Name
			if cfg.Deploy.Namespace != "" {
				find += " -n " + cfg.Deploy.Namespace
			}
			fmt.Fprintf(&out, "No host was given, so the router chooses HOST: %s -o jsonpath='{.spec.host}'\n"+
				"The server certificate must carry it: mosqbuild certs init --force --host HOST\n", find)
		}
		fmt.Fprintf(&out, "From outside the cluster, through the Route (the router finds the broker by the TLS\n"+
			"server name, SNI, which is the host given with -h):\n  %s\n", c.command(host, routePort, true))
		fmt.Fprintf(&out, "Within the cluster, with TLS:\n  %s\n", c.command(serviceHost(cfg, true), l.Port, true))
	}
	if l, ok := cfg.Listener(false); ok {
		fmt.Fprintf(&out, "Within the cluster, without TLS:\n  %s\n", c.command(serviceHost(cfg, false), l.Port, false))
	}
	return out.String()
}

func (c Client) command(host string, port int, tls bool) string {
	s := fmt.Sprintf("XDG_CONFIG_HOME=%s mosquitto_sub -h %s -p %d", shell.Quote(c.OptionsDir), host, port)
	if tls {
		s += " --cafile " + shell.Quote(c.CA)
	}
	return s + " -t '#' -v"
}

// serviceHost is the Service's name as far as the server certificate has it.
func serviceHost(cfg config.Config, tls bool) string {
	name := cfg.Name
	if tls {
		name = tlsName(name)
	}
	if ns := cfg.Deploy.Namespace; ns != "" {
		return name + "." + ns + ".svc"
	}
	return name
}
