package cmd

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

type verifyOptions struct {
	registry    registryOptions
	format      string
	key         string
	requireSBOM bool
}

func newImageVerify(a *app) *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use:   "verify REF --key FILE",
		Short: "Check who signed an image",
		Long: `Look up REF, REGISTRY/NAME[:TAG][@DIGEST], once, check that it is signed by the
key, and print REGISTRY/NAME@DIGEST: use that from then on, since a tag can move.
What "mosqbuild image push --sign", "cosign sign --key" and podman's and
skopeo's --sign-by-sigstore-private-key sign is found. No transparency log is
asked.

The lists of contents, SPDX documents, that the key attests are named too; with
--require-sbom there has to be one, and of an index one of each image in it.

It exits with 3 where the image isn't signed, not by this key, or where the
signature is another image's, and with 4 where the registry doesn't give it.`,
		Example: `  mosqbuild image verify quay.io/example/mosquitto:2.0 --key cosign.pub
  image=$(mosqbuild image verify quay.io/example/mosquitto:2.0 --key cosign.pub) && mosqbuild render --image "$image"`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.imageVerify(c.Context(), o, args[0]) },
	}
	o.registry.flags(c)
	c.Flags().StringVar(&o.format, "format", formatText, "`text or json`")
	c.Flags().StringVar(&o.key, "key", "", "public key `file`, PEM, as cosign.pub")
	c.Flags().BoolVar(&o.requireSBOM, "require-sbom", false, "refuse an image whose contents the key doesn't attest")
	return c
}

func (a *app) imageVerify(ctx context.Context, o verifyOptions, ref string) error {
	if err := checkFormat(o.format); err != nil {
		return err
	}
	if o.key == "" {
		return fault.With(fault.Usage, fault.Hint(fmt.Errorf("no key to verify %q with", ref), "give the signer's public key: --key cosign.pub"))
	}
	data, err := os.ReadFile(o.key)
	if err != nil {
		return fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading --key: %w", err), "name the signer's public key, such as cosign.pub"))
	}
	key, err := image.LoadPublicKey(data)
	if err != nil {
		return fmt.Errorf("reading %q: %w", o.key, err)
	}
	access, err := o.registry.access()
	if err != nil {
		return err
	}
	v, err := image.Verify(ctx, ref, key, access)
	if err != nil {
		return err
	}
	if o.requireSBOM {
		if err := checkListed(ref, v); err != nil {
			return err
		}
	}
	if o.format == formatJSON {
		return printAsJSON(a.Out, v)
	}
	a.verifiedNotes(v)
	_, err = fmt.Fprintln(a.Out, v.Reference)
	return err
}

// checkListed reports images whose contents the key doesn't attest.
func checkListed(ref string, v image.Verified) error {
	if len(v.SBOMs) > 0 && len(v.Unlisted) == 0 {
		return nil
	}
	err := fmt.Errorf("verifying the image %q: %w: %s", ref, image.ErrNoSBOM, cmp.Or(strings.Join(v.Unlisted, ", "), v.Digest))
	return fault.With(fault.Refused, fault.Hint(err, "it is signed; without --require-sbom that is enough"))
}

// verifiedNotes says what the signatures cover, besides the digest.
func (a *app) verifiedNotes(v image.Verified) {
	signed := "signed by this key"
	if v.Identity != "" {
		signed += " as " + shown(v.Identity)
	}
	a.progress("%s", signed)
	if v.Elsewhere {
		a.note("it is signed under another name than the one asked for: the same image, but is it the one that is meant?")
	}
	for _, s := range v.SBOMs {
		of := s.Digest
		if s.Platform != "" {
			of += ", " + shown(s.Platform)
		}
		a.progress("SBOM attested: %s, %d packages, of %s", shown(s.Name), s.Packages, of)
	}
	for _, d := range v.Unlisted {
		a.progress("no SBOM is attested by this key of %s", d)
	}
}
