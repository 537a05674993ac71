package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// output is how render writes the objects.
type output struct {
	Format string
}

// Values of --output.
const (
	formatYAML = "yaml"
	formatJSON = "json"
)

func (o *output) flags(c *cobra.Command) {
	c.Flags().StringVarP(&o.Format, "output", "o", formatYAML, "`format`: yaml or json")
}

// check reports a wrong flag before anything is made.
func (o output) check() error {
	switch o.Format {
	case formatYAML, formatJSON:
		return nil
	}
	return fault.With(fault.Usage, fmt.Errorf("--output %q is neither %s nor %s", o.Format, formatYAML, formatJSON))
}

// write writes the objects as the flags say.
func (a *app) write(r rendered, to output) error {
	if to.Format == formatJSON {
		return openshift.WriteJSON(a.Out, r.Objects)
	}
	return openshift.WriteYAML(a.Out, r.Objects)
}
