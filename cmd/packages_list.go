package cmd

import (
	"context"

	"github.com/spf13/cobra"
)

func newPackagesList(a *app) *cobra.Command {
	var o buildOptions
	var format string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the packages that the image is made of",
		Long: `List the packages of the lock, or without one what the repositories have today,
in the order in which they are installed.`,
		Example: `  mosqbuild packages list
  mosqbuild packages list --format json | jq -r '.[].name'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.packagesList(c.Context(), o, format) },
	}
	o.from(c)
	o.platforms(c)
	c.Flags().StringVar(&format, "format", formatText, "`text or json`")
	return c
}

func (a *app) packagesList(ctx context.Context, o buildOptions, format string) error {
	if err := checkFormat(format); err != nil {
		return err
	}
	locks, _, err := a.closures(ctx, o)
	if err != nil {
		return err
	}
	return printPackages(a.Out, locks, format)
}
