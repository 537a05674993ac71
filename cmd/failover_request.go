package cmd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// target is the role to switch to, if that can be done.
func (p *pair) target(r *record.Record, to string) (string, error) {
	switch to {
	case "":
		to = record.Other(r.Active)
	case config.RolePrimary, config.RoleSecondary:
	default:
		return "", fault.With(fault.Usage, fmt.Errorf("--to %q is neither %s nor %s", to, config.RolePrimary, config.RoleSecondary))
	}
	switch {
	case r.Pending != "":
		err := fmt.Errorf("a switch to the %s is under way: %s", r.Pending, r.Reason)
		return "", fault.With(fault.CheckFailed, fault.Hint(err, "watch it: %s", p.status))
	case to != r.Active && !r.Ready:
		err := fmt.Errorf("the %s isn't ready to take over: %s", to, r.Reason)
		return "", fault.With(fault.CheckFailed, fault.Hint(err, "it is once it is up and in step; watch: %s", p.status))
	}
	return to, nil
}

// request is one that was made of the controllers of a pair.
type request struct {
	record.Request
	pair *pair
}

// ask asks for a switch.
func (p *pair) ask(ctx context.Context, to string) (request, error) {
	q := request{record.Request{ID: rand.Text(), To: to}, p}
	data, err := json.Marshal(q.Request)
	if err != nil {
		return q, err
	}
	text := string(data)
	return q, p.annotate(ctx, record.AnnotationRequest, &text)
}

// done tells whether the request was fulfilled; an error says that it won't be.
func (q request) done(r *record.Record) (bool, error) {
	switch {
	case r.Request != q.ID || r.Pending != "":
		return false, nil
	case r.Active == q.To && r.Last != nil:
		return true, nil
	}
	err := fmt.Errorf("the controllers didn't switch to the %s: %s", q.To, r.Reason)
	return false, fault.With(fault.CheckFailed, fault.Hint(err, "see why: %s", q.pair.status))
}

// takeBack removes a request that nobody has taken up, so that it doesn't have
// its way when nobody expects it any more.
func (p *pair) takeBack(ctx context.Context, q request) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	s, r, err := p.read(ctx)
	if err != nil {
		return fmt.Errorf("taking the request back: %w", err)
	}
	var now record.Request
	if r.Request == q.ID || json.Unmarshal([]byte(s.Annotations[record.AnnotationRequest]), &now) != nil || now != q.Request {
		return nil
	}
	if err := p.annotate(ctx, record.AnnotationRequest, nil); err != nil {
		return fmt.Errorf("taking the request back: %w", err)
	}
	return nil
}

func (a *app) printSwitch(format string, s switched) (err error) {
	seconds := func(f float64) string { return brief(time.Duration(f * float64(time.Second))) }
	switch {
	case format == "json":
		return printAsJSON(a.Out, s)
	case s.From == "":
		_, err = fmt.Fprintf(a.Out, "the %s serves already\n", s.To)
	case !s.Done:
		_, err = fmt.Fprintf(a.Out, "asked for a switch to the %s\n", s.To)
	default:
		_, err = fmt.Fprintf(a.Out, "the %s serves; it took %s, and nobody served for %s\n", s.To, seconds(s.TookSeconds), seconds(s.OutageSeconds))
	}
	return err
}
