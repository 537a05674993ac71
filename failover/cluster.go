package failover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/kube/election"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// Cluster is a Kubernetes cluster, as Store and Elector. Use NewCluster.
type Cluster struct {
	client   *kube.Client
	me       string
	settings config.Agent
	log      *slog.Logger
	// Patience is election.Election's.
	Patience time.Duration
	last     atomic.Pointer[kube.Service]
}

var (
	_ Store   = (*Cluster)(nil)
	_ Elector = (*Cluster)(nil)
)

// NewCluster returns the one that client talks to, for the controller me.
func NewCluster(client *kube.Client, me string, settings config.Agent, log *slog.Logger) *Cluster {
	return &Cluster{client: client, me: me, settings: settings, log: log}
}

// Read returns the clients' Service.
func (c *Cluster) Read(ctx context.Context) (Service, error) {
	s, err := c.client.Service(ctx, c.settings.Name)
	if err != nil {
		return Service{}, err
	}
	c.last.Store(&s)
	out := Service{
		Text: s.Annotations[record.Annotation], Request: s.Annotations[record.AnnotationRequest],
		Paused: s.Annotations[record.AnnotationPaused],
	}
	if len(s.Ports) > 0 {
		out.Targets = map[string]int{}
	}
	for _, p := range s.Ports {
		out.Targets[p.Name] = p.TargetPort
	}
	// A selector with other labels selects no broker, or strangers.
	if role := s.Selector[config.LabelRole]; role != "" && maps.Equal(s.Selector, c.selector(role)) {
		out.Selector = role
	}
	return out, nil
}

func (c *Cluster) selector(role string) map[string]string {
	s := map[string]string{config.LabelRole: role}
	maps.Copy(s, c.settings.Selector)
	s[config.LabelRole] = role
	return s
}

// Write replaces the record and, with lead, the selector and the ports' targets.
func (c *Cluster) Write(ctx context.Context, old string, next record.Record, lead bool) error {
	change := kube.Change{Old: old, New: next.String()}
	if lead {
		targets := c.settings.Targets(next.Slot)
		change.Selector = c.selector(next.Active)
		for _, p := range c.last.Load().Ports { // whoever writes has read
			p.TargetPort = targets[p.Name] // 0 leaves what isn't the clients'
			change.Ports = append(change.Ports, p)
		}
	}
	err := c.client.Write(ctx, c.settings.Name, change)
	if errors.Is(err, kube.ErrConflict) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// Event puts e on the clients' Service.
func (c *Cluster) Event(ctx context.Context, e Event) error {
	s := c.last.Load()
	if s == nil {
		return errors.New("the Service hasn't been read")
	}
	kind := kube.Normal
	if e.Warning {
		kind = kube.Warning
	}
	return c.client.Event(ctx, *s, kind, e.Reason, e.Message)
}

// Elect campaigns for the deployment's Lease.
func (c *Cluster) Elect(ctx context.Context, lead func(context.Context), leader func(string)) error {
	l := c.settings.Failover.Lease
	return election.Run(ctx, c.client, election.Election{
		Lease: c.settings.LeaseName(), Identity: c.me,
		Duration: l.Duration.Std(), Renew: l.Renew.Std(), Retry: l.Retry.Std(),
		OnLead: lead, OnLeader: leader, Patience: c.Patience,
		OnRefused: func(err error) { c.log.Warn("standing for election", "error", err.Error()) },
	})
}
