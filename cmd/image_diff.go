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

` + imageNames + ` The second
one defaults to the image last built.`,
		Example: `  mosqbuild image diff quay.io/example/mosquitto:2.0
  mosqbuild image diff oci-archive:old.tar oci-archive:new.tar --format json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.imageDiff(c.Context(), o, args[0], append(args, "")[1])
		},
	}
	o.flags(c)
	return c
}

func (a *app) imageDiff(ctx context.Context, o lookOptions, first, second string) error {
	before, err := a.describe(ctx, o, first)
	if err != nil {
		return err
	}
	after, err := a.describe(ctx, o, second)
	if err != nil {
		return err
	}
	changes := inspect.Compare(before, after)
	if o.format == formatJSON {
		err = printAsJSON(a.Out, append([]inspect.Change{}, changes...))
	} else {
		err = printChanges(a.Out, changes)
	}
	if err != nil {
		return err
	}
	switch n := len(changes); {
	case n == 1:
		return fault.With(fault.CheckFailed, fmt.Errorf("1 difference"))
	case n > 1:
		return fault.With(fault.CheckFailed, fmt.Errorf("%d differences", n))
	case before.Digest != after.Digest:
		a.progress("no difference but in how they are packed: %s, %s", before.Digest, after.Digest)
	}
	return nil
}
