package cmd

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// mirrorOptions are the flags of packages mirror.
type mirrorOptions struct {
	build  buildOptions
	To     string
	Resign bool
	Format string
}

func newPackagesMirror(a *app) *cobra.Command {
	var o mirrorOptions
	c := &cobra.Command{
		Use:   "mirror --to DIR",
		Short: "Copy the image's packages to where there is no network",
		Long: `Copy the packages of the lock, for all of its platforms, or without one what the
repositories have today, with their indexes and keys to DIR, and print it. "image build --repository DIR"
then needs no network, and makes the same image to the digest.

Each file is verified before it gets its name, and DIR is complete once it holds
mosqbuild.mirror.yaml. What was interrupted goes on when it is run again.

The indexes stay those of the repositories, with their signatures. --resign makes
ones that list the packages copied alone, signed with the user's own key, which
is made on first use; its public key, DIR/keys/NAME.rsa.pub, then goes with
--repository-key.`,
		Example: `  mosqbuild packages mirror --to /media/stick/packages
  mosqbuild image build --repository /media/stick/packages`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.packagesMirror(c.Context(), o) },
	}
	o.build.from(c)
	o.build.platforms(c)
	c.Flags().StringVar(&o.To, "to", "", "`folder` to copy to")
	c.Flags().BoolVar(&o.Resign, "resign", false, "sign indexes of these packages alone with the user's own key")
	c.Flags().StringVar(&o.Format, "format", formatText, "`text or json`")
	return c
}

func (a *app) packagesMirror(ctx context.Context, o mirrorOptions) error {
	if o.To == "" {
		return fault.With(fault.Usage, fault.Hint(errors.New("no folder is named"), "run: mosqbuild packages mirror --to DIR"))
	}
	if err := checkFormat(o.Format); err != nil {
		return err
	}
	locks, from, err := a.closures(ctx, o.build)
	if err != nil {
		return err
	}
	var key *repo.Key
	if o.Resign {
		if key, err = signingKey(); err != nil {
			return err
		}
	}
	from.Waiting = func() { a.progress("waiting for another mosqbuild that mirrors to %s", o.To) }
	done, err := locks.Mirror(ctx, from, o.To, key)
	if err != nil {
		return err
	}
	a.progress("%d packages, %d of them copied, %.2f MB", done.Packages, done.Copied, float64(done.Bytes)/1e6)
	if key != nil {
		a.progress("the key of the indexes: --repository-key %s", filepath.Join(o.To, packages.KeysFolder, key.Name))
	}
	return printMirrored(a.Out, o.To, done, o.Format)
}
