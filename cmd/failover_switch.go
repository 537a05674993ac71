package cmd

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
)

// switchOptions are switch's flags.
type switchOptions struct {
	To      string
	Timeout time.Duration
	NoWait  bool
}

func newFailoverSwitch(a *app, p *pairOptions) *cobra.Command {
	var o switchOptions
	c := &cobra.Command{
		Use:   "switch",
		Short: "Lead the clients to the other broker",
		Long: `Lead the clients to the other broker, politely: the one that serves stops taking
messages, what it has taken reaches the other one, and then every client is cut
and finds the other broker when it reconnects. That works while switches are
paused, too. It refuses where the other broker isn't ready.`,
		Example: `  mosqbuild failover switch
  mosqbuild failover switch --to primary --timeout 1m`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runFailoverSwitch(c.Context(), a, *p, o) },
	}
	f := c.Flags()
	f.StringVar(&o.To, "to", "", "`role` that is to serve: primary or secondary (default: the one that doesn't)")
	f.DurationVar(&o.Timeout, "timeout", 30*time.Second, "how long to wait before the request is taken back")
	f.BoolVar(&o.NoWait, "no-wait", false, "leave the request to the controllers and return")
	return c
}

// switched is what switch prints.
type switched struct {
	From string `json:"from,omitempty"`
	To   string `json:"to"`
	// Done says that it serves; TookSeconds is how long that took, and
	// OutageSeconds for how long nobody did.
	Done          bool    `json:"done"`
	TookSeconds   float64 `json:"tookSeconds,omitempty"`
	OutageSeconds float64 `json:"outageSeconds,omitempty"`
}

func runFailoverSwitch(ctx context.Context, a *app, po pairOptions, o switchOptions) error {
	p, err := a.pair(po)
	if err != nil {
		return err
	}
	_, r, err := p.read(ctx)
	if err != nil {
		return err
	}
	to, err := p.target(r, o.To)
	if err != nil {
		return err
	}
	if to == r.Active {
		return a.printSwitch(po.Format, switched{To: to, Done: true})
	}
	began := time.Now()
	q, err := p.ask(ctx, to)
	if err != nil {
		return err
	}
	if o.NoWait {
		return a.printSwitch(po.Format, switched{From: r.Active, To: to})
	}
	a.progress("switching to the %s", to)
	r, err = p.wait(ctx, o.Timeout, q.done)
	if err != nil {
		return errors.Join(err, p.takeBack(ctx, q))
	}
	return a.printSwitch(po.Format, switched{r.Last.From, to, true, time.Since(began).Seconds(), r.Last.Outage.Std().Seconds()})
}
