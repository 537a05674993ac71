package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// group is a listener's checks over one protocol, done one after the other.
type group struct {
	o        Options
	listener listener
	protocol string
	steps    []step
	done     []Check
	// stop, once set, is why the steps that remain are skipped.
	stop string
	// end, where set, lets go of what the steps held.
	end func()
}

// step is a check to be done. Its run returns what it found, or what is wrong.
type step struct {
	name string
	// after names a step of the group that must have passed before this one.
	after string
	// moot says why the check doesn't apply; "" does it.
	moot string
	run  func(ctx context.Context) (string, error)
}

func newGroup(o Options, l listener, fill func(*group)) *group {
	g := &group{o: o, listener: l}
	fill(g)
	return g
}

func (g *group) run(ctx context.Context) {
	if g.end != nil {
		defer g.end()
	}
	for _, s := range g.steps {
		c := Check{Listener: g.listener.name, Protocol: g.protocol, Name: s.name}
		switch {
		case s.moot != "":
			c.OK, c.Skipped, c.Detail = true, true, s.moot
		case g.stop != "":
			c.Skipped, c.Detail = true, g.stop
		case s.after != "" && !g.passed(s.after):
			c.Skipped, c.Detail = true, s.after+" failed"
		default:
			g.check(ctx, s, &c)
		}
		g.done = append(g.done, c)
	}
}

// check does one step. An error that isn't an answer of the broker (a refused
// connection, silence) ends the group: every later step would meet it again.
func (g *group) check(ctx context.Context, s step, c *Check) {
	ctx, cancel := context.WithTimeout(ctx, g.o.Timeout)
	defer cancel()
	start := time.Now()
	detail, err := s.run(ctx)
	c.Elapsed = time.Since(start)
	c.OK, c.Detail = err == nil, detail
	if err == nil {
		return
	}
	c.Detail = err.Error()
	if answered(err) {
		return
	}
	g.stop = s.name + " got no answer"
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		c.Detail = fmt.Sprintf("no answer within %v: %v", g.o.Timeout, err)
	}
}

func (g *group) passed(name string) bool {
	for _, c := range g.done {
		if c.Name == name {
			return c.OK
		}
	}
	return false
}

// answered says whether err shows that the broker spoke, though not as wanted.
func answered(err error) bool {
	var verdict *verdictError
	var refusal *refusedError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verdict) || errors.As(err, &refusal) ||
		errors.As(err, &host) || errors.As(err, &authority) || errors.As(err, &invalid)
}

// verdictError is a broker doing what it shouldn't, such as letting in a wrong
// password.
type verdictError struct{ text string }

// Error returns the verdict.
func (e *verdictError) Error() string { return e.text }

func verdict(format string, args ...any) error {
	return &verdictError{fmt.Sprintf(format, args...)}
}
