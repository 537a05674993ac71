package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// pairStatus is what status prints.
type pairStatus struct {
	Active  string     `json:"active"`
	Since   time.Time  `json:"since,omitzero"`
	Standby standbyNow `json:"standby"`
	// Switching is the role that is about to take over.
	Switching string         `json:"switching,omitempty"`
	Paused    bool           `json:"paused"`
	Selected  string         `json:"selected"`
	Last      *record.Switch `json:"last,omitempty"`
	Leader    leaderNow      `json:"leader"`
	Epoch     int64          `json:"epoch"`
	Reason    string         `json:"reason"`
}

type standbyNow struct {
	Role  string `json:"role"`
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"`
}

type leaderNow struct {
	Name string `json:"name,omitempty"`
	// RenewedAgo is by this machine's clock; if that is another, at most the
	// Lease's duration.
	RenewedAgo config.Duration `json:"renewedAgo,omitzero"`
	// Silent says that the Lease has run out.
	Silent bool `json:"silent,omitempty"`
}

// statusOf reads a status out of the Service.
func statusOf(s kube.Service, r *record.Record) pairStatus {
	st := pairStatus{
		Active: r.Active, Since: r.Since, Switching: r.Pending, Paused: r.Paused, Selected: s.Selector[config.LabelRole],
		Last: r.Last, Epoch: r.Epoch, Reason: r.Reason, Standby: standbyNow{Role: record.Other(r.Active), Ready: r.Ready},
	}
	switch {
	case r.Ready:
	case r.Standby != "":
		st.Standby.Why = "the " + r.Active + "'s guard hasn't read yet that there is a standby"
	case strings.Contains(r.Reason, "can't take over"):
		st.Standby.Why = r.Reason
	default:
		st.Standby.Why = "it isn't up, or not in step with the " + r.Active + " yet (last written: " + r.Reason + ")"
	}
	return st
}

// leader asks who leads the controllers. Their clock isn't this machine's: silent
// is who renews nothing while one looks for as long as the Lease is good.
func (p *pair) leader(ctx context.Context) (leaderNow, error) {
	h, err := p.holder(ctx)
	if err != nil || h.Identity == "" {
		return leaderNow{}, err
	}
	ago := time.Since(h.Renewed)
	if ago.Abs() <= h.Duration {
		return leaderNow{Name: h.Identity, RenewedAgo: config.Duration(max(ago, 0))}, nil
	}
	select {
	case <-time.After(h.Duration):
	case <-ctx.Done():
		return leaderNow{}, ctx.Err()
	}
	again, err := p.holder(ctx)
	if err != nil || again.Identity == "" {
		return leaderNow{}, err
	}
	if silent := again.Identity == h.Identity && again.Renewed.Equal(h.Renewed); silent {
		return leaderNow{h.Identity, config.Duration(max(time.Since(h.Renewed), h.Duration)), true}, nil
	}
	return leaderNow{Name: again.Identity, RenewedAgo: config.Duration(h.Duration)}, nil
}

func (p *pair) holder(ctx context.Context) (kube.Holder, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return p.client.Holder(ctx, p.agent.LeaseName())
}

// print writes the status for people.
func (st pairStatus) print(w io.Writer, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(key, format string, args ...any) { fmt.Fprintf(t, key+":\t"+format+"\n", args...) }
	line("active", "%s, since %s", st.Active, moment(st.Since, now))
	if st.Standby.Ready {
		line("standby", "%s, ready", st.Standby.Role)
	} else {
		line("standby", "%s, not ready: %s", st.Standby.Role, st.Standby.Why)
	}
	if st.Switching != "" {
		line("switching", "to %s: %s", st.Switching, st.Reason)
	}
	line("automatic", "%s", map[bool]string{false: "yes", true: "no, paused"}[st.Paused])
	if st.Selected != st.Active && st.Switching == "" {
		line("clients", "the Service selects %q", st.Selected)
	}
	line("leader", "%s", st.Leader)
	if l := st.Last; l != nil {
		line("last switch", "%s to %s, %s: %s, outage %s", l.From, l.To, moment(l.At, now), l.Reason, brief(l.Outage.Std()))
	} else {
		line("last switch", "none")
	}
	return t.Flush()
}

// String names the controller, and how fresh its Lease is.
func (l leaderNow) String() string {
	switch {
	case l.Name == "":
		return "none"
	case l.Silent:
		return fmt.Sprintf("none: %s has been silent for %s", l.Name, brief(l.RenewedAgo.Std()))
	}
	return fmt.Sprintf("%s, heard of %s ago", l.Name, brief(l.RenewedAgo.Std()))
}

// moment is a point in time and how long ago it was.
func moment(t, now time.Time) string {
	if t.IsZero() {
		return "the beginning"
	}
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format(time.RFC3339), brief(now.Sub(t)))
}

// brief is a duration as people read it.
func brief(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < 48*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
