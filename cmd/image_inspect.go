package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/image/inspect"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// lookOptions are the flags of the commands that look into images.
type lookOptions struct {
	registry registryOptions
	format   string
	platform string
}

func (o *lookOptions) flags(c *cobra.Command) {
	o.registry.flags(c)
	c.Flags().StringVar(&o.format, "format", "text", "`text or json`")
	c.Flags().StringVar(&o.platform, "platform", "", "of an image for several platforms, the one for this `platform`, such as linux/arm64")
}

// check reports values of flags that make no sense.
func (o lookOptions) check() error {
	if o.platform != "" {
		if _, err := config.ParsePlatform(o.platform); err != nil {
			return fault.With(fault.Usage, fmt.Errorf("reading --platform: %w", err))
		}
	}
	return checkFormat(o.format)
}

const imageNames = `IMAGE is oci:DIR, oci-archive:FILE, docker-archive:FILE or
REGISTRY/NAME[:TAG][@DIGEST].`

func newImageInspect(a *app) *cobra.Command {
	var o lookOptions
	c := &cobra.Command{
		Use:   "inspect [IMAGE]",
		Short: "Show what is in an image",
		Long: `Show how an image starts, its labels, its layers and what each is, the packages
in its apk database, and every file with mode, owner and size, as a container
would see them. All layers are read and checked.

Of an image for several platforms these are listed, and the one for linux/amd64
or --platform is shown.

` + imageNames + ` Without it the image last built is
shown; oci:.mosqbuild/image-agent is the agents'.`,
		Example: `  mosqbuild image inspect
  mosqbuild image inspect quay.io/example/mosquitto:2.0
  mosqbuild image inspect --platform linux/arm64 quay.io/example/mosquitto:2.0
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
	found, err := a.look(ctx, o, name)
	if err != nil {
		return inspect.Description{}, err
	}
	return inspect.DescribeOne(ctx, found, o.platform)
}

// look opens the image of that name; "" is the one last built.
func (a *app) look(ctx context.Context, o lookOptions, name string) (image.Artifact, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	to, err := o.registry.access()
	switch {
	case err != nil:
		return nil, err
	case name == "":
		return image.OpenArtifact(a.state().Image())
	}
	return image.ReadArtifact(ctx, name, to)
}
