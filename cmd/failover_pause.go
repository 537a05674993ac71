package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

func newFailoverPause(a *app, o *pairOptions) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "pause",
		Short: "Have nothing switched but by request",
		Long: `Have nothing switched but by request, until "mosqbuild failover resume": a broker
that crashes or hangs starts again where it is, one that is lost stays so.

Without deploy.storage the active broker starts again with nothing retained, and the
other one follows it. So before you drain its node or end its pod, run "mosqbuild
failover switch", which is obeyed while paused, too.`,
		Example: `  mosqbuild failover pause`,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runFailoverPause(c.Context(), a, *o, true, timeout) },
	}
	pauseFlags(c, &timeout)
	return c
}

func pauseFlags(c *cobra.Command, timeout *time.Duration) {
	c.Flags().DurationVar(timeout, "timeout", 10*time.Second, "how long to wait for the controllers to take note")
}

// runFailoverPause pauses, or resumes.
func runFailoverPause(ctx context.Context, a *app, o pairOptions, paused bool, timeout time.Duration) error {
	p, err := a.pair(o)
	if err != nil {
		return err
	}
	if _, _, err = p.read(ctx); err != nil {
		return err
	}
	var value *string
	if paused {
		yes := "true"
		value = &yes
	}
	if err := p.annotate(ctx, record.AnnotationPaused, value); err != nil {
		return err
	}
	if _, err = p.wait(ctx, timeout, func(r *record.Record) (bool, error) { return r.Paused == paused, nil }); err != nil {
		return fmt.Errorf("written to the Service, but %w", err)
	}
	if o.Format == "json" {
		return printAsJSON(a.Out, map[string]bool{"paused": paused})
	}
	_, err = fmt.Fprintln(a.Out, map[bool]string{true: "paused: nothing is switched but by request; without deploy.storage what is retained is lost if the active broker ends", false: "resumed: faults are answered by a switch"}[paused])
	return err
}
