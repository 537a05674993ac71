package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newImageLock(a *app) *cobra.Command {
	var o buildOptions
	c := &cobra.Command{
		Use:   "lock [PACKAGE...]",
		Short: "Write down which packages the image is made of",
		Long: `Write mosqbuild.lock.yaml beside mosqbuild.yaml, or anew: the repositories and
their indexes, and every package with its version, URL, size and checksums. The
file is printed. Put it under version control: from then on "mosqbuild image
build" takes exactly these packages, and refuses what is no longer as it was
locked, naming each difference.

Every platform of the configuration is locked, or where it names none, every one
that was, and linux/amd64 first of all. --platform locks those it names, beside
what is locked.

Where packages are named, all others stay as they are locked, but those that are
made of the same source. An index older than the locked one is refused: see
docs/packages.md.`,
		Example: `  mosqbuild image lock
  mosqbuild image lock mosquitto
  mosqbuild image lock --platform linux/amd64,linux/arm64
  mosqbuild image build --update-lock mosquitto`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return a.imageLock(c.Context(), o, args) },
	}
	o.from(c)
	o.platforms(c)
	return c
}

func (a *app) imageLock(ctx context.Context, o buildOptions, only []string) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	from, err := a.sources(cfg, o)
	if err != nil {
		return err
	}
	locks, err := a.locks()
	if err != nil {
		return err
	}
	o.Only = only
	if _, err := a.relock(ctx, cfg, from, locks, o, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.Out, a.lockFile())
	return err
}
