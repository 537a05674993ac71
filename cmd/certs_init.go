package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/state"
)

const certsInitLong = `Make a certificate authority and a server certificate, each with its key, and
print the paths of what was written: certs/ca.crt, ca.key, tls.crt and tls.key
in .mosqbuild. Clients need ca.crt; ca.key and tls.key are secrets (mode 0600).

The certificate carries localhost, 127.0.0.1, ::1, the Service's names, the
Route's host and tls.hosts of mosqbuild.yaml, and each --host besides. The
authority lasts 10 years, the certificate 825 days.

Nothing that is there is replaced without --force, which issues the server
certificate anew and keeps the authority, so that clients go on trusting the
broker; the hosts that the old certificate carried stay. An authority without a
server certificate is used, too. Under the profile ha the certificates between
the brokers, in .mosqbuild/bridge, are made as well, by an authority of their
own. With --new-ca the authorities are replaced as well, the old hosts go, and
every client needs the new ca.crt.`

func newCertsInit(a *app) *cobra.Command {
	var r state.CertsRequest
	var keyType string
	c := &cobra.Command{
		Use:   "init",
		Short: "Make a CA and a server certificate",
		Long:  certsInitLong,
		Example: `  mosqbuild certs init
  mosqbuild certs init --host broker.example.com --host 192.0.2.7
  mosqbuild certs init --force --host new.example.com
  mosqbuild certs init --key-type rsa:3072`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runCertsInit(a, r, keyType) },
	}
	c.Flags().StringArrayVar(&r.Hosts, "host", nil, "further DNS `name or IP address` to carry (repeatable)")
	c.Flags().StringVar(&keyType, "key-type", "", "ecdsa-p256, rsa:2048, rsa:3072 or rsa:4096 (default: tls.keyType of mosqbuild.yaml)")
	c.Flags().BoolVar(&r.Force, "force", false, "replace a server certificate that is there, keeping the CA")
	c.Flags().BoolVar(&r.NewCA, "new-ca", false, "with --force: replace the CA, too")
	return c
}

func runCertsInit(a *app, r state.CertsRequest, keyType string) error {
	if r.NewCA && !r.Force {
		return fault.With(fault.Usage, fault.Hint(errors.New("--new-ca replaces what clients trust"), "add --force"))
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if keyType == "" {
		keyType = cfg.TLS.KeyType
	}
	if r.KeyType, err = certs.ParseKeyType(keyType); err != nil {
		return fault.With(fault.Usage, err)
	}
	old, err := a.oldHosts(r)
	if err != nil {
		return err
	}
	r.Name = cfg.Name
	r.Bridge = cfg.Deploy.Profile == config.ProfileHA
	if r.Hosts, err = certs.CleanHosts(slices.Concat(cfg.ServerHosts(), r.Hosts, old)); err != nil {
		return fault.With(fault.Usage, err)
	}
	paths, err := a.state().MakeCerts(r)
	if err != nil {
		return hintCerts(err, a.state())
	}
	for _, p := range paths {
		if _, err := fmt.Fprintln(a.Out, p); err != nil {
			return err
		}
	}
	a.progress("the server certificate carries %s", strings.Join(r.Hosts, ", "))
	switch {
	case cfg.TLS.Source == config.SourceFiles:
		a.note("tls.source is %s: these are not used until it is %s", config.SourceFiles, config.SourceGenerate)
	case cfg.TLS.InCluster():
		a.note("tls.source is %s: these are for the image alone, which runs with them on this machine", cfg.TLS.Source)
	}
	return nil
}
