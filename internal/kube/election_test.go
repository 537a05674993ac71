package kube_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/kube/election"
)

func standing(identity string, lead func(context.Context)) election.Election {
	return election.Election{
		Lease: "mqtt-failover", Identity: identity,
		Duration: 30 * time.Second, Renew: 20 * time.Second, Retry: 50 * time.Millisecond, OnLead: lead,
	}
}

// brief is an election in which something is waited for that takes time.
func brief(identity string) election.Election {
	e := standing(identity, nil)
	e.Duration, e.Renew = 3*time.Second, 2*time.Second
	return e
}

// stand runs an election; leads gets a value at the beginning and at the end of
// each time of leading. The returned function ends it and returns its error.
func stand(t *testing.T, c *kube.Client, e election.Election) (leads chan bool, end func() error) {
	t.Helper()
	leads = make(chan bool, 100)
	e.OnLead = func(ctx context.Context) {
		leads <- true
		<-ctx.Done()
		leads <- false
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- election.Run(ctx, c, e) }()
	end = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("it goes on after its context")
		}
	})
	t.Cleanup(func() { end() })
	return leads, end
}

// holder is who has the Lease.
func holder(t *testing.T, c *kube.Client, lease string) (string, error) {
	t.Helper()
	h, err := c.Holder(context.Background(), lease)
	return h.Identity, err
}

func expect(t *testing.T, leads <-chan bool, want bool) {
	t.Helper()
	select {
	case got := <-leads:
		if got != want {
			t.Fatalf("leads: %v", got)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("still doesn't turn to %v", want)
	}
}

func TestElect(t *testing.T) {
	for range 5 {
		if handOver(t) {
			return
		}
	}
	t.Error("who leads loses the lead again and again")
}

// handOver has one lead, and then another. It returns false where the one lost the
// lead too early: on a busy machine a renewal may come too late.
func handOver(t *testing.T) bool {
	t.Helper()
	s := newServer(t)
	client := s.client(t)
	var mu sync.Mutex
	var told []string
	one := brief("one_10.0.0.1")
	leadsOne, endOne := stand(t, client, one)
	expect(t, leadsOne, true)
	if got, err := holder(t, client, one.Lease); err != nil || got != one.Identity {
		t.Errorf("leader %q, %v", got, err)
	}
	two := brief("two_10.0.0.2")
	two.OnLeader = func(id string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, id)
	}
	leadsTwo, endTwo := stand(t, s.client(t), two)
	time.Sleep(one.Duration + 500*time.Millisecond) // longer than a Lease that nobody renews
	both := len(leadsTwo) > 0
	time.Sleep(100 * time.Millisecond) // for whoever has lost the lead to say so
	if len(leadsOne) > 0 {
		if err := errors.Join(endOne(), endTwo()); err != nil {
			t.Error(err)
		}
		return false
	}
	if both {
		t.Error("two leaders")
	}
	start := time.Now()
	if err := endOne(); err != nil {
		t.Error(err)
	}
	expect(t, leadsOne, false)
	expect(t, leadsTwo, true)
	t.Logf("handed over within %v", time.Since(start))
	if err := endTwo(); err != nil {
		t.Error(err)
	}
	if got, err := holder(t, client, one.Lease); err != nil || got != "" {
		t.Errorf("nobody leads, but %q does, %v", got, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if told = slices.DeleteFunc(told, func(id string) bool { return id == "" }); !slices.Equal(told, []string{one.Identity, two.Identity}) {
		t.Errorf("leaders told: %q", told)
	}
	if text := s.text(leasePath); !strings.Contains(text, `"labels":{"a":"b"}`) {
		t.Errorf("the Lease has lost its labels: %s", text)
	}
	for _, r := range s.requests() {
		if strings.HasPrefix(r, http.MethodPost) {
			t.Errorf("%s: nobody has the right to", r)
		}
	}
	return true
}

// TestElectAgain: a leader whom the API server doesn't answer loses the lead
// once it is time, and stands again.
func TestElectAgain(t *testing.T) {
	s := newServer(t)
	e := standing("me", nil)
	e.Duration, e.Renew = 12*time.Second, 6*time.Second
	leads, end := stand(t, s.client(t), e)
	expect(t, leads, true)
	s.mu.Lock()
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body) // else the server doesn't see the client go
		<-r.Context().Done()
		return true
	}
	s.mu.Unlock()
	start := time.Now()
	expect(t, leads, false)
	// Half as long again is what it would take to try to release the Lease first.
	if took := time.Since(start); took > e.Renew*3/2-2*e.Retry {
		t.Errorf("led on for %v", took)
	}
	s.mu.Lock()
	s.before = nil
	s.mu.Unlock()
	expect(t, leads, true)
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestReleaseWaits: the Lease isn't free before the leader has put down its
// work.
func TestReleaseWaits(t *testing.T) {
	s := newServer(t)
	client := s.client(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var early atomic.Bool
	led := make(chan struct{})
	e := standing("me", func(ctx context.Context) {
		close(led)
		<-ctx.Done()
		time.Sleep(300 * time.Millisecond)
		if got, err := holder(t, client, "mqtt-failover"); err != nil || got != "me" {
			early.Store(true)
		}
	})
	done := make(chan error, 1)
	go func() { done <- election.Run(ctx, client, e) }()
	<-led
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if early.Load() {
		t.Error("the Lease was given up while OnLead was at work")
	}
	if got, err := holder(t, client, "mqtt-failover"); err != nil || got != "" {
		t.Errorf("the Lease has the holder %q, %v", got, err)
	}
}

// TestReleaseAfterRenewal: a renewal that was given up, and is written between
// the reading of the Lease and its release, doesn't keep the Lease.
func TestReleaseAfterRenewal(t *testing.T) {
	s := newServer(t)
	client := s.client(t)
	leads, end := stand(t, client, standing("me", nil))
	expect(t, leads, true)
	var late atomic.Int32
	s.mu.Lock()
	s.before = func(_ http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.Method == http.MethodPut && late.Load() < 2 && !bytes.Contains(body, []byte(`"holderIdentity":"me"`)) {
			late.Add(1)
			s.put(leasePath, s.text(leasePath))
		}
		return false
	}
	s.mu.Unlock()
	if err := end(); err != nil {
		t.Error(err)
	}
	if n := late.Load(); n != 2 {
		t.Errorf("the Lease was written %d times before it was given up", n)
	}
	if got, err := holder(t, client, "mqtt-failover"); err != nil || got != "" {
		t.Errorf("the Lease has the holder %q, %v", got, err)
	}
}

// TestReleaseTakesNothing: a leader that has lost its Lease to another one
// doesn't release that one's.
func TestReleaseTakesNothing(t *testing.T) {
	s := newServer(t)
	leads, end := stand(t, s.client(t), standing("me", nil))
	expect(t, leads, true)
	s.put(leasePath, `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"mqtt-failover"},"spec":{"holderIdentity":"other","leaseDurationSeconds":3600,"renewTime":"2100-01-01T00:00:00.000000Z"}}`)
	expect(t, leads, false)
	if err := end(); err != nil {
		t.Error(err)
	}
	if text := s.text(leasePath); !strings.Contains(text, `"holderIdentity":"other"`) {
		t.Errorf("the other one's Lease: %s", text)
	}
}

func TestElectWithoutALease(t *testing.T) {
	for want, before := range map[error]func(w http.ResponseWriter, r *http.Request) bool{
		kube.ErrNotFound: nil,
		kube.ErrForbidden: func(w http.ResponseWriter, r *http.Request) bool {
			status(w, http.StatusForbidden, "no")
			return true
		},
	} {
		s := newServer(t)
		s.remove(leasePath)
		s.before = before
		told := 0
		e := standing("me", func(context.Context) { t.Error("leads") })
		e.Patience, e.OnRefused = 300*time.Millisecond, func(error) { told++ }
		began := time.Now()
		err := election.Run(context.Background(), s.client(t), e)
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "mqtt-failover") || fault.HintOf(err) == "" || fault.CodeOf(err) != fault.Unreachable {
			t.Errorf("got %v with code %d, want %v", err, fault.CodeOf(err), want)
		}
		if took := time.Since(began); took < e.Patience || told != 1 {
			t.Errorf("%v: it ended after %s, and %d refusals were told", want, took, told)
		}
	}
}

// TestElectAtStart: an API server that has just started refuses all for a while.
func TestElectAtStart(t *testing.T) {
	s := newServer(t)
	var calls atomic.Int32
	s.before = func(w http.ResponseWriter, _ *http.Request) bool {
		no := calls.Add(1) <= 3
		if no {
			status(w, []int{http.StatusForbidden, http.StatusUnauthorized, http.StatusNotFound}[calls.Load()-1], "not yet")
		}
		return no
	}
	leads, end := stand(t, s.client(t), standing("me", nil))
	expect(t, leads, true)
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestElectAfterSilence: a candidate asks again where an API server takes the call
// and never answers it.
func TestElectAfterSilence(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		s := newServer(t)
		var silent atomic.Bool
		s.before = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != method || silent.Swap(true) {
				return false
			}
			io.Copy(io.Discard, r.Body) // else the server doesn't see the client go
			<-r.Context().Done()
			return true
		}
		e := brief("me")
		began := time.Now()
		leads, end := stand(t, s.client(t), e)
		expect(t, leads, true)
		if took := time.Since(began); took < e.Renew/2 {
			t.Errorf("%s: it led after %s, without a silence", method, took)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}

func TestElectRefusesTimes(t *testing.T) {
	e := standing("me", nil)
	e.Renew = e.Duration
	if err := election.Run(context.Background(), newServer(t).client(t), e); err == nil {
		t.Error("a leader may renew for as long as others wait")
	}
}
