package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

func newFailoverStatus(a *app, o *pairOptions) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say which broker serves, and whether the other could",
		Long: `Say which broker serves and since when, whether the other one could take over,
and if not why, which controller leads, and how the last switch went.`,
		Example: `  mosqbuild failover status
  mosqbuild failover status -n mqtt --format json | jq .standby.ready`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runFailoverStatus(c.Context(), a, *o) },
	}
}

func runFailoverStatus(ctx context.Context, a *app, o pairOptions) error {
	p, err := a.pair(o)
	if err != nil {
		return err
	}
	s, r, err := p.read(ctx)
	if err != nil {
		return err
	}
	st := statusOf(s, r)
	if st.Leader, err = p.leader(ctx); err != nil {
		a.note("the leader isn't known: %v", err)
	}
	if o.Format == "json" {
		return printAsJSON(a.Out, st)
	}
	return st.print(a.Out, time.Now())
}
