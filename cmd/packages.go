package cmd

import "github.com/spf13/cobra"

func newPackages(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "packages",
		Short: "Build the broker's packages from source",
		Long: `Build the broker's packages from source, on a machine that reaches no Alpine
mirror but has apt. "mosqbuild image build --local" then uses them.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newPackagesBuild(a), newPackagesPath(a))
	return c
}
