package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// session is the logged-in connection that a group's checks share.
type session struct {
	*group
	connect func(ctx context.Context, l login) (client, error)
	topic   string
	client  client
}

// checks fills g with the checks over the protocol.
func (p protocol) checks(g *group) {
	g.protocol = p.name
	s := &session{group: g, topic: randomTopic()}
	s.connect = func(ctx context.Context, l login) (client, error) {
		conn, err := g.dial(ctx)
		if err != nil {
			return nil, err
		}
		return p.connect(ctx, conn, l)
	}
	const loginStep = "login"
	wrong, none := "", ""
	if g.o.Username == "" {
		wrong, none = "no user to try it with", "logging in without is what was asked for"
	} else if g.o.Anonymous {
		none = "the broker allows anonymous clients"
	}
	g.steps = []step{
		{name: loginStep, run: s.login},
		{name: "wrong password refused", moot: wrong, run: s.wrongPassword},
		{name: "no password refused", moot: none, run: s.noPassword},
		{name: "round trip QoS 0", after: loginStep, run: s.roundTrip(0)},
		{name: "round trip QoS 1", after: loginStep, run: s.roundTrip(1)},
		{name: "round trip QoS 2", after: loginStep, run: s.roundTrip(2)},
		{name: "retained message", after: loginStep, run: s.retained},
	}
	g.end = func() {
		if s.client != nil {
			s.client.close()
		}
	}
}

func (s *session) right() login {
	if s.o.Username == "" {
		return login{}
	}
	return login{s.o.Username, s.o.Password}
}

func (s *session) login(ctx context.Context) (string, error) {
	c, err := s.connect(ctx, s.right())
	s.client = c
	if err != nil {
		return "", err
	}
	if s.o.Username == "" {
		return "anonymous", nil
	}
	return "as " + s.o.Username, nil
}

func (s *session) wrongPassword(ctx context.Context) (string, error) {
	return s.refused(ctx, login{s.o.Username, []byte(rand.Text())}, "a wrong password")
}

// noPassword tries without a login, and with a user's name alone.
func (s *session) noPassword(ctx context.Context) (string, error) {
	detail, err := s.refused(ctx, login{}, "no login")
	if err != nil {
		return "", err
	}
	if _, err := s.refused(ctx, login{user: s.o.Username}, "a user's name alone"); err != nil {
		return "", err
	}
	return detail, nil
}

// refused wants the broker to turn the login down for being a wrong one.
func (s *session) refused(ctx context.Context, l login, what string) (string, error) {
	c, err := s.connect(ctx, l)
	if err == nil {
		c.close()
		return "", verdict("the broker let in %s", what)
	}
	var refusal *refusedError
	if errors.As(err, &refusal) && refusal.login {
		return "code " + codeText(refusal.code), nil
	}
	return "", err
}

// roundTrip returns a check that sends a message through the broker at qos.
func (s *session) roundTrip(qos byte) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		m := message{topic: fmt.Sprintf("%s/qos%d", s.topic, qos), payload: rand.Text(), qos: qos}
		if err := s.client.subscribe(ctx, m.topic, qos); err != nil {
			return "", err
		}
		if err := s.client.publish(ctx, m); err != nil {
			return "", err
		}
		return "", expect(ctx, s.client, m)
	}
}

// expect waits for a message and compares it, quality of service and all.
func expect(ctx context.Context, c client, want message) error {
	select {
	case got := <-c.messages():
		if got != want {
			return verdict("got %+v, want %+v", got, want)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the message on %q (may the user write and read there?): %w", want.topic, ctx.Err())
	}
}

// retained leaves a message, fetches it over a connection made afterwards,
// takes it away again, and sees over a third that it is gone.
func (s *session) retained(ctx context.Context) (string, error) {
	m := message{topic: s.topic + "/retained/value", payload: rand.Text(), qos: 1, retained: true}
	if err := s.client.publish(ctx, m); err != nil {
		return "", err
	}
	err := s.fetch(ctx, m)
	// Nothing may stay in the broker, not even when the time is up.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Timeout)
	defer cancel()
	gone := m
	gone.payload = ""
	if err := errors.Join(err, s.client.publish(clean, gone)); err != nil {
		return "", err
	}
	// Retained messages come before whatever is published after SUBSCRIBE:
	// the first to arrive is this one only if there is none.
	end := message{topic: s.topic + "/retained/end", payload: rand.Text(), qos: 1}
	return "", s.fetch(ctx, end, end)
}

// fetch subscribes, over a new connection, to the topics beside want's,
// publishes what is given, and wants want as the first message.
func (s *session) fetch(ctx context.Context, want message, send ...message) error {
	c, err := s.connect(ctx, s.right())
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.subscribe(ctx, s.topic+"/retained/+", 1); err != nil {
		return err
	}
	for _, m := range send {
		if err := c.publish(ctx, m); err != nil {
			return err
		}
	}
	return expect(ctx, c, want)
}
