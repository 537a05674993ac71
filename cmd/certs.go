package cmd

import "github.com/spf13/cobra"

func newCerts(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "certs",
		Short: "Make the certificates of the TLS listener",
		Long: `Make the certificates of the TLS listener. Where none were made, every command
that needs them makes them; "certs init" is for choosing hosts and key type.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newCertsInit(a))
	return c
}
