package cmd

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func newImageBuild(a *app) *cobra.Command {
	var o buildOptions
	var which component
	var by engine
	var output string
	c := &cobra.Command{
		Use:   "build [--update-lock [PACKAGE...]]",
		Short: "Assemble the image from apk packages",
		Long: `Assemble the image from apk packages, each verified against its repository's
signed index, without a daemon and without root. The image is kept in
.mosqbuild/image; its digest is printed.

Where "mosqbuild image lock" has written mosqbuild.lock.yaml, the packages are
those, or the build is refused. --update-lock writes it anew, for the packages
named alone where some are.

--platform builds for others than linux/amd64, at once: of several the image is
an index. What the repositories have can be built anywhere, since nothing is run.

-o FORMAT[:PATH] also writes it elsewhere: oci:DIR, oci-archive:FILE,
docker-archive:FILE, or podman, which loads it.

--compression zstd makes layers that unpack several times as fast; podman 4,
containerd 1.5 and CRI-O read them, Docker from version 23 on. A docker-archive
has gzip all the same, and what buildah builds its own.

/var/lib/db/sbom/image.spdx.json in it lists the packages, with licences, sums
and package URLs, and the rendered files, as SPDX 2.3.

The last layer holds test credentials: a generated CA, server certificate and
password file, so that the image runs as it is. --defaults=none leaves it out,
and so does a push to any registry but a loopback one.

--component=agent assembles the image of mosqagent instead, which the profile ha
deploys beside the brokers: that one program, which is static, and no package.
It is kept in .mosqbuild/image-agent. For another platform it takes a program
built for that one: mosqagent-ARCH beside this program, or one named by --agent.

--engine=buildah builds the project's Containerfile instead, with buildah as a
library, or with --file one of yours: its FROM may name the image that the
native engine makes, as localhost/mosquitto:latest unless configured otherwise,
and its folder is the build context, without the state folder. Where none of it
can be had from a registry, --base names an alpine-minirootfs-*.tar.gz.`,
		Example: `  mosqbuild image build
  mosqbuild image build --local -o podman
  mosqbuild image build --update-lock mosquitto
  mosqbuild image build --platform linux/amd64,linux/arm64 -o oci-archive:mosquitto.tar
  mosqbuild image build --component agent
  mosqbuild image build --compression zstd -o oci-archive:mosquitto.tar
  mosqbuild image build --engine buildah --file Containerfile
  mosqbuild image build --repository ./repo --repository-key repo.rsa.pub -o oci-archive:mosquitto.tar`,
		Args: o.args,
		RunE: func(c *cobra.Command, args []string) error {
			o.Only = args
			to, err := image.ParseOutput(output)
			if output != "" && err != nil {
				return fault.With(fault.Usage, err)
			}
			if err := errors.Join(which.check(c), by.check(c, which), a.checkOutput(to, o)); err != nil {
				return err
			}
			build := func() (built, error) { return a.image(c.Context(), which, o, false) }
			if by.Name == engineBuildah {
				build = func() (built, error) { return a.buildah(c.Context(), by, o) }
			}
			img, err := build()
			if err != nil {
				return err
			}
			if output != "" {
				if to.Format == image.FormatDockerArchive && o.Compression == image.Zstd {
					a.progress("a docker-archive holds no zstd: its layers are packed with gzip")
				}
				if err := image.Write(c.Context(), img.Image, to, img.Name); err != nil {
					return err
				}
			}
			digest, err := img.Image.Digest()
			if err == nil {
				_, err = fmt.Fprintln(a.Out, digest)
			}
			return err
		},
	}
	o.flags(c)
	o.platforms(c)
	o.compress(c)
	which.flags(c)
	c.Flags().BoolVar(&o.UpdateLock, "update-lock", false, "write the lock anew, for the packages named alone where some are")
	by.flags(c)
	c.Flags().StringVarP(&output, "output", "o", "", "also write the image to `FORMAT[:PATH]`")
	return c
}
