package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/podman"
	"github.com/mosqbuild/mosqbuild/internal/probe"
)

// probeOptions are probe's flags; what is empty is the configuration's or the
// state folder's.
type probeOptions struct {
	Port, TLSPort                  int
	CA, ServerName, User, Password string
	Timeout                        time.Duration
	Format                         string
}

func newProbe(a *app) *cobra.Command {
	var o probeOptions
	c := &cobra.Command{
		Use:   "probe [HOST]",
		Short: "Check a running broker as its clients would",
		Long: `Check a running broker (default: on 127.0.0.1) on its plain and its TLS listener,
with MQTT 3.1.1 and 5: that the right password is let in, a wrong one and none
are refused, that the certificate has a good chain and the right name and is
refused by whoever doesn't trust its CA, and that messages come back at each
quality of service, a retained one too. It exits with 5 where a check failed.

Messages go to random topics below mosqbuild/probe/ and leave nothing behind.`,
		Example: `  mosqbuild probe
  mosqbuild probe --port 11883 --tls-port 18883
  mosqbuild probe mqtt.apps.example.com --port 0 --tls-port 443 --format json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runProbe(c.Context(), a, o, args) },
	}
	f := c.Flags()
	f.IntVar(&o.Port, "port", -1, "`port` of the listener without TLS; 0 leaves it out (default: the configured one)")
	f.IntVar(&o.TLSPort, "tls-port", -1, "`port` of the listener with TLS; 0 leaves it out (default: the configured one)")
	f.StringVar(&o.CA, "cafile", "", "`file` of the CA's certificate (default: the configured one)")
	f.StringVar(&o.ServerName, "servername", "", "`name` in the certificate, also sent as SNI (default: HOST)")
	f.StringVar(&o.User, "user", "", "`name` to log in as (default: the first configured user)")
	f.StringVar(&o.Password, "password-file", "", "`file` of the password, - for stdin (default: the generated one)")
	f.DurationVar(&o.Timeout, "timeout", probe.DefaultTimeout, "limit of each check")
	f.StringVar(&o.Format, "format", formatText, "`text or json`")
	return c
}

func runProbe(ctx context.Context, a *app, o probeOptions, args []string) error {
	printChecks, err := checkPrinter(o.Format)
	if err != nil {
		return err
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	host := podman.Loopback
	if len(args) == 1 {
		host = args[0]
	}
	target, err := a.target(cfg, host, o)
	if err != nil {
		return err
	}
	checks := probe.Run(ctx, target)
	if err := printChecks(a.Out, checks); err != nil {
		return err
	}
	return failure(checks)
}
