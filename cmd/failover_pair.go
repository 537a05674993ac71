package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/record"
	"github.com/mosqbuild/mosqbuild/internal/shell"
)

// pairOptions are the flags of all failover commands.
type pairOptions struct {
	Kubeconfig, Context, Namespace, Name, Format string
}

// status is the command that shows the pair, for hints.
func (o pairOptions) status() string {
	return command([]string{"mosqbuild", "failover", "status"},
		[][2]string{{"--kubeconfig", o.Kubeconfig}, {"--context", o.Context}, {"--namespace", o.Namespace}, {"--name", o.Name}})
}

// kubectl is that for the same cluster.
func (o pairOptions) kubectl() string {
	return command([]string{"kubectl"}, [][2]string{{"--kubeconfig", o.Kubeconfig}, {"--context", o.Context}})
}

// command is a command line with the flags that have a value.
func command(line []string, flags [][2]string) string {
	for _, f := range flags {
		if f[1] != "" {
			line = append(line, f[0], f[1])
		}
	}
	return shell.Quote(line...)
}

// pair is the pair of brokers that the flags name.
type pair struct {
	client  *kube.Client
	agent   config.Agent
	status  string // the command that shows it
	kubectl string // with the cluster that is meant
}

// callTimeout bounds each call to the API server.
const callTimeout = 10 * time.Second

func (a *app) pair(o pairOptions) (*pair, error) {
	if err := checkFormat(o.Format); err != nil {
		return nil, err
	}
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	cfg.Name = cmp.Or(o.Name, cfg.Name)
	client, err := kube.Config(o.Kubeconfig, o.Context, cmp.Or(o.Namespace, cfg.Deploy.Namespace))
	if err != nil {
		return nil, err
	}
	return &pair{client, cfg.Agent(nil), o.status(), o.kubectl()}, nil
}

// read returns the clients' Service and the record in it, which there must be.
func (p *pair) read(ctx context.Context) (kube.Service, *record.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := p.client.Service(ctx, p.agent.Name)
	if err != nil {
		return s, nil, p.explain("get", err)
	}
	r, err := record.Parse(s.Annotations[record.Annotation])
	switch {
	case err != nil:
		err = fault.Hint(err, "somebody has edited it; remove the annotation from Service %s, and the leading controller puts the record back", p.agent.Name)
	case r == nil:
		err = fault.Hint(fmt.Errorf("service %q has no record of who serves", p.agent.Name),
			"is it the clients' Service of the profile ha, and do its controllers run? %s get pods -n %s", p.kubectl, p.client.Namespace())
	}
	return s, r, fault.With(fault.CheckFailed, err)
}

// annotate sets an annotation of the clients' Service, or with nil removes it.
func (p *pair) annotate(ctx context.Context, key string, value *string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := p.client.Write(ctx, p.agent.Name, kube.Change{Annotations: map[string]*string{key: value}})
	return p.explain("patch", err)
}

// explain says what can be done about an error of the API server's.
func (p *pair) explain(verb string, err error) error {
	service, namespace := "services/"+p.agent.Name, p.client.Namespace()
	switch {
	case errors.Is(err, kube.ErrNotFound):
		err = fault.Hint(err, "name the pair with --namespace (now %s) and --name; %s get services -A lists what there is", namespace, p.kubectl)
	case errors.Is(err, kube.ErrForbidden):
		err = fault.Hint(err, "you need the right to %s %s in namespace %s; ask: %s auth can-i %s %s -n %s", verb, service, namespace, p.kubectl, verb, service, namespace)
	case err != nil:
		err = fault.Hint(err, "does the cluster answer? %s get --raw /readyz", p.kubectl)
	}
	return fault.With(fault.Unreachable, err)
}

// wait reads the record until it is as done wants it, or the time is up.
func (p *pair) wait(ctx context.Context, limit time.Duration, done func(*record.Record) (bool, error)) (*record.Record, error) {
	const pause = 100 * time.Millisecond
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		_, r, err := p.read(within)
		if err == nil {
			var ok bool
			if ok, err = done(r); ok || err != nil {
				return r, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-within.Done():
			return nil, fault.Hint(errors.Join(fmt.Errorf("no controller has done it within %s", limit), unlessDone(err)),
				"see whether one leads: %s", p.status)
		case <-time.After(pause):
		}
	}
}

// unlessDone leaves out the errors that the end of a wait makes.
func unlessDone(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}
