package peer_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/peer/peertest"
)

const name = "pair-agent"

type note struct{ Text string }

func TestAgentsAloneAreLetIn(t *testing.T) {
	dir := peertest.Certificates(t, name)
	address := serve(t, identity(t, dir), echo())
	if err := say(t, peer.NewClient(identity(t, dir), &peer.Dialer{}), address, nil); err != nil {
		t.Error(err)
	}
	other := identity(t, peertest.Certificates(t, name))
	if peer.NewClient(other, &peer.Dialer{}).Call(t.Context(), http.MethodPost, address, "/echo", note{"a"}, nil) == nil {
		t.Error("another authority's agent was let in")
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if answer, err := http.Get("https://" + address + "/echo"); err == nil {
		answer.Body.Close()
		t.Error("a stranger was let in")
	}
}

func TestCallsCarryJSON(t *testing.T) {
	id := identity(t, peertest.Certificates(t, name))
	address, c := serve(t, id, echo()), peer.NewClient(id, &peer.Dialer{})
	var got note
	if err := say(t, c, address, &got); err != nil || got.Text != "a" {
		t.Errorf("got %+v, %v", got, err)
	}
	var status *peer.StatusError
	err := c.Call(t.Context(), http.MethodPost, address, "/echo", map[string]int{"text": 1}, nil)
	if !errors.As(err, &status) || status.Code != http.StatusBadRequest {
		t.Errorf("a number for a text: %v", err)
	}
	if err := c.Call(t.Context(), http.MethodPost, address, "/echo", note{strings.Repeat("x", 1<<20)}, nil); !errors.As(err, &status) {
		t.Errorf("a huge message: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Call(ctx, http.MethodGet, address, "/slow", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slow answer: %v", err)
	}
}

func TestChangedCertificatesAreRead(t *testing.T) {
	dir := peertest.Certificates(t, name)
	id := identity(t, dir)
	address := serve(t, id, echo())
	peertest.Write(t, dir, name)
	if err := os.Chtimes(filepath.Join(dir, config.CAFile), time.Now(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	fresh := identity(t, dir)
	if err := say(t, peer.NewClient(fresh, &peer.Dialer{}), address, nil); err != nil {
		t.Errorf("the server shows its old certificate: %v", err)
	}
	// Half a change leaves things as they are.
	if err := os.WriteFile(filepath.Join(dir, config.CertFile), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := say(t, peer.NewClient(fresh, &peer.Dialer{}), address, nil); err != nil {
		t.Errorf("half a change: %v", err)
	}
	if _, err := peer.LoadIdentity(dir, name); err == nil {
		t.Error("a broken certificate was loaded")
	}
}

func TestTheFirstAddressThatAnswersWins(t *testing.T) {
	id := identity(t, peertest.Certificates(t, name))
	_, port, _ := net.SplitHostPort(serve(t, id, echo()))
	silent, err := net.Listen("tcp", "127.0.0.2:"+port) // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var fail atomic.Bool
	var looks atomic.Int32
	d := &peer.Dialer{Lookup: func(context.Context, string) ([]string, error) {
		looks.Add(1)
		if fail.Load() {
			return nil, errors.New("no name service")
		}
		return []string{"127.0.0.2", "127.0.0.3", "127.0.0.1"}, nil
	}}
	for range 2 {
		if err := say(t, peer.NewClient(id, d), net.JoinHostPort("guard", port), nil); err != nil {
			t.Errorf("look-ups that fail: %v: %v", fail.Load(), err)
		}
		fail.Store(true)
		time.Sleep(1100 * time.Millisecond) // for the next look-up
	}
	if n := looks.Load(); n < 2 {
		t.Errorf("%d look-ups: the name service's failure wasn't tried", n)
	}
	if _, err := d.Dial(t.Context(), net.JoinHostPort("other", port)); err == nil || !strings.Contains(err.Error(), "no name service") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestHealth(t *testing.T) {
	set := metrics.NewSet()
	set.NewCounter("tests_total").Inc()
	h := peer.Health{Ready: func() error { return errors.New("fenced") }, Metrics: set}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- peer.Serve(ctx, l, nil, h.Handler()) }()
	for path, want := range map[string]struct {
		code int
		text string
	}{"/livez": {200, "ok"}, "/readyz": {503, "fenced"}, "/metrics": {200, "tests_total 1"}, "/other": {404, ""}} {
		answer, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := answer.Write(&b); err != nil || answer.StatusCode != want.code || !strings.Contains(b.String(), want.text) {
			t.Errorf("%s: %d, %v, %s", path, answer.StatusCode, err, b.String())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func identity(t *testing.T, dir string) *peer.Identity {
	t.Helper()
	id, err := peer.LoadIdentity(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// say has c say a note that is to be echoed. The dialer's time may be too short for a
// busy machine: then it tries again.
func say(t *testing.T, c *peer.Client, address string, out any) (err error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		err = c.Call(t.Context(), http.MethodPost, address, "/echo", note{"a"}, out)
		if !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	return err
}

func echo() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		var n note
		if peer.Read(w, r, &n) {
			peer.Reply(w, http.StatusOK, n)
		}
	})
	mux.HandleFunc("GET /slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return mux
}

func serve(t *testing.T, id *peer.Identity, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := peer.Serve(ctx, l, id, h); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return l.Addr().String()
}
