package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// imageBuildOptions are the flags of "image build".
type imageBuildOptions struct {
	build  buildOptions
	which  component
	by     engine
	output string
}

func newImageBuild(a *app) *cobra.Command {
	var o imageBuildOptions
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

--shell adds busybox, for "oc exec" and "oc cp". Without it no shell is there but
one that a package depends on, as Alpine's own mosquitto does on /bin/sh.

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
  mosqbuild image build --shell
  mosqbuild image build --update-lock mosquitto
  mosqbuild image build --platform linux/amd64,linux/arm64 -o oci-archive:mosquitto.tar
  mosqbuild image build --component agent
  mosqbuild image build --compression zstd -o oci-archive:mosquitto.tar
  mosqbuild image build --engine buildah --file Containerfile
  mosqbuild image build --repository ./repo --repository-key repo.rsa.pub -o oci-archive:mosquitto.tar`,
		Args: o.build.args,
		RunE: func(c *cobra.Command, args []string) error {
			o.build.Only = args
			if err := errors.Join(o.which.check(c), o.by.check(c, o.which)); err != nil {
				return err
			}
			return a.imageBuild(c.Context(), o)
		},
	}
	o.build.flags(c)
	o.build.platforms(c)
	o.build.compress(c)
	o.which.flags(c)
	c.Flags().BoolVar(&o.build.UpdateLock, "update-lock", false, "write the lock anew, for the packages named alone where some are")
	o.by.flags(c)
	c.Flags().StringVarP(&o.output, "output", "o", "", "also write the image to `FORMAT[:PATH]`")
	return c
}

func (a *app) imageBuild(ctx context.Context, o imageBuildOptions) error {
	to, err := image.ParseOutput(o.output)
	if o.output != "" && err != nil {
		return fault.With(fault.Usage, err)
	}
	if err := a.checkOutput(to, o.build); err != nil {
		return err
	}
	var img built
	if o.by.Name == engineBuildah {
		img, err = a.buildah(ctx, o.by, o.build)
	} else {
		img, err = a.image(ctx, o.which, o.build, false)
	}
	if err != nil {
		return err
	}
	if o.output != "" {
		if to.Format == image.FormatDockerArchive && o.build.Compression == image.Zstd {
			a.progress("a docker-archive holds no zstd: its layers are packed with gzip")
		}
		if err := image.Write(ctx, img.Image, to, img.Name); err != nil {
			return err
		}
	}
	digest, err := img.Image.Digest()
	if err == nil {
		_, err = fmt.Fprintln(a.Out, digest)
	}
	return err
}
