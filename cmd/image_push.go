package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/image"
)

type pushOptions struct {
	build               buildOptions
	which               component
	rebuild             bool // a build flag was given
	registry            registryOptions
	withTestCredentials bool
	sign                string
}

func newImagePush(a *app) *cobra.Command {
	var o pushOptions
	c := &cobra.Command{
		Use:   "push [REF]",
		Short: "Push the image to a registry",
		Long: `Push the image that was built last, building it first where there is none or
where a build flag is given, and print REF@DIGEST. REF defaults to
image.reference of the configuration, and with --component=agent to image.agent,
or to that reference with -agent behind its name.

Logins are those of podman and docker: --authfile or REGISTRY_AUTH_FILE where
given, else podman's and docker's files and their credential helpers. A
registry's own CA is looked for as podman does, in containers/certs.d.

The list of contents in the image, an SPDX document, is attached to it, where
"oras discover REF" and "cosign tree REF" find it; a registry with no API for
that gets the tag sha256-DIGEST. An index and each of its images have their own.

With --sign the image and that list are signed as cosign signs them, with a key
of cosign's or of "mosqbuild image key"; its password is COSIGN_PASSWORD, or is
asked for. "mosqbuild image verify" and "cosign verify --insecure-ignore-tlog --key
FILE" check it: no transparency log is told.

To a registry that isn't on loopback the layer of test credentials is left out:
the manifests of "mosqbuild render" bring real ones.`,
		Example: `  mosqbuild image push quay.io/example/mosquitto:2.0
  mosqbuild image push --platform linux/amd64,linux/arm64 quay.io/example/mosquitto:2.0
  mosqbuild image push --sign cosign.key quay.io/example/mosquitto:2.0
  mosqbuild image push localhost:5000/mosquitto --tls-verify=false`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.which.check(c); err != nil {
				return err
			}
			o.rebuild = rebuilds(c)
			return a.imagePush(c.Context(), o, args)
		},
	}
	o.build.flags(c)
	o.build.platforms(c)
	o.build.compress(c)
	o.which.flags(c)
	o.registry.flags(c)
	c.Flags().StringVar(&o.sign, "sign", "", "sign with the private key in `file`")
	c.Flags().BoolVar(&o.withTestCredentials, "with-test-credentials", false, "push the layer of test credentials to any registry")
	return c
}

func (a *app) imagePush(ctx context.Context, o pushOptions, args []string) error {
	to, err := a.pushTo(o, args)
	if err != nil {
		return err
	}
	if to.Signer, err = a.signer(ctx, o.sign); err != nil {
		return err
	}
	img, err := a.image(ctx, o.which, o.build, !o.rebuild)
	if err != nil {
		return err
	}
	report, end := a.uploadProgress()
	to.Progress = report
	pushed, err := image.Push(ctx, img.Image, to)
	end()
	if err != nil {
		return err
	}
	a.pushNotes(to.Reference, pushed)
	_, err = fmt.Fprintln(a.Out, pushed.Reference)
	return err
}
