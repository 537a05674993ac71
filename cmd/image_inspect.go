package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/image/inspect"
)

// lookOptions are the flags of the commands that look into images.
type lookOptions struct {
	registry registryOptions
	format   string
}

func (o *lookOptions) flags(c *cobra.Command) {
	o.registry.flags(c)
	c.Flags().StringVar(&o.format, "format", "text", "`text or json`")
}

const imageNames = `IMAGE is oci:DIR, oci-archive:FILE, docker-archive:FILE or
REGISTRY/NAME[:TAG][@DIGEST]; of an image for several platforms a registry gives
that for linux/amd64.`

func newImageInspect(a *app) *cobra.Command {
	var o lookOptions
	c := &cobra.Command{
		Use:   "inspect [IMAGE]",
		Short: "Show what is in an image",
		Long: `Show how an image starts, its labels, its layers and what each is, the packages
in its apk database, and every file with mode, owner and size, as a container
would see them. All layers are read and checked.

` + imageNames + ` Without it
the image last built is shown; oci:.mosqbuild/image-agent is the agents'.`,
		Example: `  mosqbuild image inspect
  mosqbuild image inspect quay.io/example/mosquitto:2.0
  mosqbuild image inspect --format json oci-archive:mosquitto.tar | jq -r '.packages[].name'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := a.describe(c.Context(), o, append(args, "")[0])
			if err != nil {
				return err
			}
			if o.format == formatJSON {
				return printAsJSON(a.Out, d)
			}
			return printImage(a.Out, d)
		},
	}
	o.flags(c)
	return c
}

// describe reads the image of that name; "" is the one last built.
func (a *app) describe(ctx context.Context, o lookOptions, name string) (inspect.Description, error) {
	if err := checkFormat(o.format); err != nil {
		return inspect.Description{}, err
	}
	var img image.Image
	to, err := o.registry.access()
	switch {
	case err != nil:
		return inspect.Description{}, err
	case name == "":
		img, err = image.Open(a.state().Image())
	default:
		img, err = image.Read(ctx, name, to)
	}
	if err != nil {
		return inspect.Description{}, err
	}
	return inspect.Describe(ctx, img)
}
