package cmd

import "github.com/spf13/cobra"

func newImage(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "image",
		Short: "Build the image, push and sign it, look into it",
		Long: `Build the broker's image from apk packages and push it to a registry, without a
daemon and without root; look into images, anybody's, and compare them.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newImageBuild(a), newImageLock(a), newImageContext(a), newImagePush(a), newImageKey(a), newImageVerify(a), newImageInspect(a), newImageDiff(a))
	return c
}
