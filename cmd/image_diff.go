package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/image/inspect"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func newImageDiff(a *app) *cobra.Command {
	var o lookOptions
	c := &cobra.Command{
		Use:   "diff IMAGE [IMAGE]",
		Short: "Show how two images differ",
		Long: `Show what the second image has more than the first (+), less (-) or otherwise
(~): packages, settings and labels of the config, and files with type, mode,
owner, target, content and extended attributes. How files are spread over layers,
their dates and the compression make no difference. It exits with 5 where there
is one.

Two images for several platforms are compared platform by platform, or for
--platform alone; an image for one is compared with that of another for the same.

` + imageNames + ` The second one defaults to the
image last built.`,
		Example: `  mosqbuild image diff quay.io/example/mosquitto:2.0
  mosqbuild image diff oci-archive:old.tar oci-archive:new.tar --format json
  mosqbuild image diff --platform linux/arm64 quay.io/example/mosquitto:2.0`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.imageDiff(c.Context(), o, args[0], append(args, "")[1])
		},
	}
	o.flags(c)
	return c
}

func (a *app) imageDiff(ctx context.Context, o lookOptions, first, second string) error {
	before, err := a.look(ctx, o, first)
	if err != nil {
		return err
	}
	after, err := a.look(ctx, o, second)
	if err != nil {
		return err
	}
	d, err := inspect.CompareAll(ctx, before, after, o.platform)
	if err != nil {
		return err
	}
	if o.format == formatJSON {
		err = printAsJSON(a.Out, append([]inspect.Change{}, d.Changes...))
	} else {
		err = printChanges(a.Out, d.Changes)
	}
	if err != nil {
		return err
	}
	switch n := len(d.Changes); {
	case n == 1:
		return fault.With(fault.CheckFailed, fmt.Errorf("1 difference"))
	case n > 1:
		return fault.With(fault.CheckFailed, fmt.Errorf("%d differences", n))
	case d.Before != d.After:
		a.progress("no difference but in how they are packed: %s, %s", d.Before, d.After)
	}
	return nil
}
