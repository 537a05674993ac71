package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func newInit(a *app) *cobra.Command {
	var force, stdout bool
	c := &cobra.Command{
		Use:   "init",
		Short: "Write a commented mosqbuild.yaml of the defaults",
		Long: `Write a commented mosqbuild.yaml in which every setting stands at its default.
The path is printed. A file that is there is never replaced without --force.`,
		Example: `  mosqbuild init
  mosqbuild init --stdout | less`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runInit(a, force, stdout) },
	}
	c.Flags().BoolVar(&force, "force", false, "replace a file that is there")
	c.Flags().BoolVar(&stdout, "stdout", false, "print the file instead")
	return c
}

func runInit(a *app, force, stdout bool) error {
	if stdout {
		_, err := a.Out.Write(config.Example())
		return err
	}
	path := a.Config
	if path == "" {
		path = configFile
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) && !force {
		return fault.Hint(fmt.Errorf("%q is there already", path), "change it, or run: mosqbuild init --force")
	}
	if err := atomicfile.Write(path, config.Example(), 0o644); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.Out, path)
	return err
}
