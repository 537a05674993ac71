package agentcmd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// self is the running program, whatever has become of its file.
const self = "/proc/self/exe"

func newInstall(*app) *cobra.Command {
	return &cobra.Command{
		Use:   "install DIR",
		Short: "Copy this program into a folder",
		Long:  "Copies this program to DIR, from where the broker's container, whose image\nlacks it, starts it.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			to := filepath.Join(args[0], filepath.Base(config.AgentPath))
			err := atomicfile.Stream(to, 0o755, copySelf)
			if err != nil {
				err = fmt.Errorf("installing the agent in %q: %w", args[0], err)
			}
			return fault.Hint(err, "is a volume mounted there that may be written to?")
		},
	}
}

func copySelf(to *os.File) error {
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}
