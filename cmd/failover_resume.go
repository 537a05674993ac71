package cmd

import (
	"time"

	"github.com/spf13/cobra"
)

func newFailoverResume(a *app, o *pairOptions) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:     "resume",
		Short:   "Have faults answered by a switch again",
		Long:    `Have faults answered by a switch again, after "mosqbuild failover pause".`,
		Example: `  mosqbuild failover resume`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runFailoverPause(c.Context(), a, *o, false, timeout) },
	}
	pauseFlags(c, &timeout)
	return c
}
