package agentcmd

import (
	"net"
	"path"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/agent"
	"github.com/mosqbuild/mosqbuild/config"
)

const probeLong = `Answers /livez, /readyz and /metrics for a broker that has no guard, by MQTT
messages to itself on ` + config.ProbePrefix + `…, which neither # nor a bridge matches.
Not ready is a broker after failover.probe's silence, dead after 15 s.`

func newProbe(*app) *cobra.Command {
	l := agent.Loopback{Listener: config.Listener{Port: config.PortMQTT}}
	var listen string
	c := &cobra.Command{
		Use:   "probe",
		Short: "Answer for a broker's health over HTTP",
		Long:  probeLong,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p := config.Default().Failover.Probe
			l.Interval, l.Timeout = p.Interval.Std(), p.Timeout.Std()
			return agent.ServeHealth(c.Context(), listen, l, p)
		},
	}
	f := c.Flags()
	f.StringVar(&listen, "listen", net.JoinHostPort("", strconv.Itoa(config.PortHealth)), "`address` to answer at")
	f.StringVar(&l.Host, "host", "127.0.0.1", "the broker's `address`")
	f.IntVar(&l.Listener.Port, "port", config.PortMQTT, "the broker's `port`")
	f.BoolVar(&l.Listener.TLS, "tls", false, "the port speaks TLS")
	f.StringVar(&l.CA, "ca", path.Join(config.CertsDir, config.CAFile), "`file` of the authority that the broker's certificate descends from")
	f.StringVar(&l.Health, "login", "", "`file` with the login, as mosquitto_sub's options: -u USER and -P PASSWORD, a line each (default: none)")
	return c
}
