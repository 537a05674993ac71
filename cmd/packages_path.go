package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/packages/source"
)

func newPackagesPath(a *app) *cobra.Command {
	var cache string
	var target source.Target
	c := &cobra.Command{
		Use:   "path",
		Short: "Print the folder of the packages built from source",
		Long: `Print the folder of the packages built from source. It holds all that "mosqbuild
image build --repository DIR --repository-key DIR/NAME.rsa.pub" needs, so it can
be copied to where there is no network at all. Every architecture that was built
is in the one folder; with --arch it is an error where that one is not. Each of
Mosquitto's series has a folder of its own.`,
		Example: `  mosqbuild packages path
  cp -rL "$(mosqbuild packages path)" /media/stick/packages`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			folder, err := cacheFolder(cache)
			if err != nil {
				return err
			}
			dir, _, err := source.Repository(folder, target)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.Out, dir)
			return err
		},
	}
	c.Flags().StringVar(&target.Arch, "arch", "", "`architecture` that must be there: amd64 or arm64")
	c.Flags().StringVar(&target.Mosquitto, "mosquitto", "", "the broker's `series`: 2.0 or 2.1 (default: 2.0)")
	c.Flags().StringVar(&cache, "cache", "", "`folder` that the build was given (default: the user's cache folder)")
	return c
}

// cacheFolder is the folder given by --cache, or else the user's.
func cacheFolder(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	return cacheDir()
}
