package cmd

import "github.com/spf13/cobra"

func newImage(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "image",
		Short: "Build the image and push it",
		Long: `Build the broker's image from apk packages and push it to a registry, without a
daemon and without root.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newImageBuild(a), newImageLock(a), newImageContext(a), newImagePush(a))
	return c
}
