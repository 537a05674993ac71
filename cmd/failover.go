package cmd

import "github.com/spf13/cobra"

func newFailover(a *app) *cobra.Command {
	var o pairOptions
	c := &cobra.Command{
		Use:   "failover",
		Short: "See which broker of a pair serves, and switch",
		Long: `See which broker of a pair serves, and switch: for the profile ha, on the cluster
that kubectl would talk to. Switches after a fault need nobody; these commands
are for maintenance. They need the right to get and patch the clients' Service;
"status" also reads the Lease. docs/failover.md explains what happens.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := c.PersistentFlags()
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "`file` with the cluster's address and your login (default: kubectl's)")
	f.StringVar(&o.Context, "context", "", "`name` of the kubeconfig's context (default: the current one)")
	f.StringVarP(&o.Namespace, "namespace", "n", "", "`namespace` of the pair (default: deploy.namespace, then the context's)")
	f.StringVar(&o.Name, "name", "", "`name` of the clients' Service (default: the configured one)")
	f.StringVar(&o.Format, "format", "text", "`text or json`")
	c.AddCommand(newFailoverStatus(a, &o), newFailoverSwitch(a, &o), newFailoverPause(a, &o), newFailoverResume(a, &o))
	return c
}
