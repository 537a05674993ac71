package failover

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/complaint"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// Ports are how a controller reaches others.
type Ports struct {
	Store   Store
	Elector Elector
	Sender  Sender
	// Guards and Probers are those of both brokers, by role.
	Guards  map[string]Guard
	Probers map[string]Prober
}

// Controller is one of the replicas. Use New.
type Controller struct {
	me       string
	settings config.Agent
	ports    Ports
	log      *slog.Logger
	view     *view
	counts   *counts
	errors   *complaint.Log
	holder   atomic.Pointer[string] // who leads
	ticked   atomic.Pointer[time.Time]
	turned   atomic.Pointer[time.Time] // by a leader's loop, nil without one
}

// New returns a controller of that identity, which is the name that it has in
// the Lease and in the record.
func New(me string, settings config.Agent, p Ports, log *slog.Logger) *Controller {
	now := time.Now()
	c := &Controller{me: me, settings: settings, ports: p, log: log, errors: complaint.New(log), view: newView(me, settings.Failover.Probe, p.Probers, now)}
	c.ticked.Store(&now)
	c.counts = newCounts(c.view, func() bool { return c.leader() != "" })
	return c
}

// Set has the values of Metrics.
func (c *Controller) Set() *metrics.Set { return c.counts.set }

// Take keeps a vote that another controller has sent. It may be called from
// several goroutines.
func (c *Controller) Take(v record.Vote) { c.view.take(v, time.Now()) }

// stuck is after how long a controller whose rounds don't end is of no use.
const stuck = 10 * time.Second

// Live returns why the controller should be started again, or nil.
func (c *Controller) Live() error {
	if time.Since(*c.ticked.Load()) > stuck {
		return errors.New("no vote was cast for long")
	}
	if turned := c.turned.Load(); turned != nil && time.Since(*turned) > stuck {
		return errors.New("it leads, but has decided nothing for long")
	}
	return nil
}

// Ready returns why the controller's vote doesn't count yet, or nil.
func (c *Controller) Ready() error {
	if c.leader() == "" {
		return errors.New("nobody is known to lead")
	}
	if now := time.Now(); len(c.view.vote(now).Silence) < len(roles) {
		return errors.New("the brokers are not known yet")
	}
	return nil
}

func (c *Controller) leader() string {
	if h := c.holder.Load(); h != nil {
		return *h
	}
	return ""
}

// Run watches both brokers, and leads while elected, until ctx is done. It has
// given up the Lease when it returns.
func (c *Controller) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel() // the rest ends with the election
	for _, role := range roles {
		wg.Go(func() { c.ports.Probers[role].Run(ctx) })
		wg.Go(func() { c.listen(ctx, role) })
		wg.Go(func() { c.poll(ctx, role) })
	}
	wg.Go(func() { c.campaign(ctx) })
	return c.ports.Elector.Elect(ctx, c.lead, func(holder string) {
		c.holder.Store(&holder)
		c.log.Info("leader", "is", holder)
		wake(c.view.news)
	})
}

// listen takes note of what a prober meets.
func (c *Controller) listen(ctx context.Context, role string) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.ports.Probers[role].Changed():
			c.view.answered(role)
		}
	}
}

// campaign sends this controller's vote to all controllers at each interval,
// and at once when something has changed. It doesn't wait for those that don't
// answer: one of them is on the node that is lost.
func (c *Controller) campaign(ctx context.Context) {
	tick := time.NewTicker(c.settings.Failover.Probe.Interval.Std())
	defer tick.Stop()
	errs := make(chan error, 1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for role, p := range c.ports.Probers {
				c.errors.About("asking the "+role+" over MQTT", p.State().Err)
			}
		case <-c.view.news:
		case err := <-errs:
			if c.errors.About("voting", err) {
				c.counts.add(metricVoteErrors, "")
			}
			continue
		}
		now := time.Now()
		c.ticked.Store(&now)
		go c.cast(ctx, c.view.vote(now), errs)
	}
}

// cast sends one vote.
func (c *Controller) cast(ctx context.Context, v record.Vote, errs chan<- error) {
	within, cancel := context.WithTimeout(ctx, c.settings.Failover.Probe.Timeout.Std())
	defer cancel()
	err := c.ports.Sender.Send(within, v)
	select {
	case errs <- err:
	case <-ctx.Done():
	}
}
