package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/podman"
)

// runOptions are run's flags; what is empty is the configuration's.
type runOptions struct {
	build         buildOptions
	rebuild       bool // a build flag was given
	Name, User    string
	Port, TLSPort int
	Detach        bool
}

func newRun(a *app) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the image under podman on 127.0.0.1",
		Long: `Run the image last built, or build it where there is none or a build flag is
given, under podman as a cluster would: with a random uid and group 0, a
read-only root, no capabilities. Its ports are on 127.0.0.1 alone. What the
broker saves is gone when it ends.

It runs until Ctrl-C, its log on stderr; with --detach in the background, once
it answers, and the container's ID is printed.`,
		Example: `  mosqbuild run
  mosqbuild run --port 11883 --tls-port 18883
  mosqbuild run --detach --name broker && mosqbuild probe; podman stop broker`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.rebuild = rebuilds(c)
			return runRun(c.Context(), a, o)
		},
	}
	o.build.flags(c)
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "`name` of the container (default: the configuration's)")
	f.StringVar(&o.User, "user", "", "`UID[:GID]` to run as (default: a random high UID, and GID 0)")
	f.IntVar(&o.Port, "port", -1, "`port` for the listener without TLS (default: its own)")
	f.IntVar(&o.TLSPort, "tls-port", -1, "`port` for the listener with TLS (default: its own)")
	f.BoolVarP(&o.Detach, "detach", "d", false, "run in the background and print the container's ID")
	return c
}

func runRun(ctx context.Context, a *app, o runOptions) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	container, err := o.container(cfg)
	if err != nil {
		return err
	}
	if err := podman.Check(ctx, container); err != nil {
		return err
	}
	if err := a.load(ctx, o); err != nil {
		return err
	}
	if o.Detach {
		return a.start(ctx, cfg, container)
	}
	a.tryOut(cfg, container)
	return podman.Run(ctx, container, a.Err)
}
