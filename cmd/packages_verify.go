package cmd

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/shell"
	"github.com/mosqbuild/mosqbuild/packages"
)

func newPackagesVerify(a *app) *cobra.Command {
	var keys []string
	var format string
	c := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check every file that a mirror lists",
		Long: `Check the mirror DIR as "packages mirror" made it: that each index is signed by a
trusted key and lists the packages, that each package is there, the very file
that was mirrored, and that the keys are those by which these are signed. It exits
with 5 where something isn't so, or where the mirror was never finished.`,
		Example: `  mosqbuild packages verify /media/stick/packages`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.packagesVerify(c.Context(), args[0], keys, format)
		},
	}
	c.Flags().StringArrayVar(&keys, "repository-key", nil, "public key `file` to trust besides Alpine's (repeatable)")
	c.Flags().StringVar(&format, "format", formatText, "`text or json`")
	return c
}

func (a *app) packagesVerify(ctx context.Context, dir string, keys []string, format string) error {
	if err := checkFormat(format); err != nil {
		return err
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	from, err := a.sources(cfg, buildOptions{Keys: keys})
	if err != nil {
		return err
	}
	checks, err := packages.CheckMirror(ctx, dir, from)
	if err != nil {
		return err
	}
	wrong, untrusted := 0, 0
	for _, c := range checks {
		if !c.OK {
			wrong++
		}
		if c.Untrusted != nil {
			untrusted++
		}
	}
	if err := printFileChecks(a.Out, checks, format); err != nil || wrong == 0 {
		return err
	}
	if wrong == untrusted {
		return fault.With(fault.CheckFailed, fault.Hint(fmt.Errorf("%d of %d files are signed by a key that isn't trusted", wrong, len(checks)),
			"if it is the key by which you had the mirror signed, or its packages, name it: --repository-key %s", shell.Quote(filepath.Join(dir, packages.KeysFolder, "NAME"))))
	}
	return fault.With(fault.CheckFailed, fault.Hint(fmt.Errorf("%d of %d files are not as they were mirrored", wrong, len(checks)),
		"mirror it again, which mends what is wrong and keeps the rest, with --resign where it was made so: mosqbuild packages mirror --to %s", shell.Quote(dir)))
}
