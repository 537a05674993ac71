package cmd

import "github.com/spf13/cobra"

func newPackages(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "packages",
		Short: "List, mirror, check and build the image's packages",
		Long: `List the packages that the image is made of, mirror them for a place without a
network, check such a mirror, or build the broker's packages from source, on a
machine that reaches no Alpine mirror but has apt.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newPackagesList(a), newPackagesMirror(a), newPackagesVerify(a), newPackagesBuild(a), newPackagesPath(a))
	return c
}
