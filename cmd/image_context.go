package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/image"
)

func newImageContext(a *app) *cobra.Command {
	var o buildOptions
	c := &cobra.Command{
		Use:   "context DIR",
		Short: "Write the build context of the Containerfile",
		Long: `Write what the image holds beside its packages to DIR, a new or empty folder, as
the context for building the Containerfile with podman or buildah. DIR is
printed. It holds the test credentials unless --defaults=none is given.`,
		Example: `  mosqbuild image context context
  podman build -f Containerfile --timestamp 0 -t mosquitto context`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			if err := o.single(cfg, "a build context"); err != nil {
				return err
			}
			b, err := a.build(c.Context(), o)
			if err != nil {
				return err
			}
			img, err := image.Choose(b.Image, "")
			if err != nil {
				return err
			}
			if err := image.WriteContext(c.Context(), img, args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.Out, args[0])
			return err
		},
	}
	o.flags(c)
	o.platforms(c)
	return c
}
