package failover_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/peer/peertest"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// identity is that of agents which trust each other.
func identity(t *testing.T) *peer.Identity {
	id, err := peer.LoadIdentity(peertest.Certificates(t, "m-agent"), "m-agent")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// follower is an Elector under which somebody else leads.
type follower struct{}

func (follower) Elect(ctx context.Context, _ func(context.Context), leader func(string)) error {
	leader("b")
	<-ctx.Done()
	return nil
}

// sender passes on the votes that are to be sent.
type sender chan record.Vote

func (s sender) Send(ctx context.Context, v record.Vote) error {
	select {
	case s <- v:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func TestServe(t *testing.T) {
	w := newWorld(t)
	votes := make(sender)
	g1, g2 := w.guards[primary], w.guards[secondary]
	c := failover.New("a", settings(), failover.Ports{
		Store: w, Elector: follower{}, Sender: votes,
		Guards:  map[string]failover.Guard{primary: g1, secondary: g2},
		Probers: map[string]failover.Prober{primary: g1, secondary: g2},
	}, slog.New(slog.DiscardHandler))
	api, health, id := listen(t), listen(t), identity(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, api, health, id) }()
	// The first votes lack what wasn't heard yet, or are late on a busy machine.
	vote, well := <-votes, false
	for end := time.Now().Add(30 * time.Second); !well && time.Now().Before(end); vote = <-votes {
		well = len(vote.Silence) == 2 && vote.Silence[primary] <= 600 && vote.Guard[secondary] <= 600
	}
	if vote.Voter != "a" || !well {
		t.Errorf("it votes %+v, and both brokers are well", vote)
	}
	call := func(in any) error {
		return peer.NewClient(id, &peer.Dialer{}).Call(t.Context(), http.MethodPost, api.Addr().String(), "/v1/votes", in, nil)
	}
	if err := call(record.Vote{Voter: "b"}); err != nil {
		t.Error(err)
	}
	var refused *peer.StatusError
	if err := call(map[string]any{"voter": "b", "newer": 1}); err != nil {
		t.Errorf("a newer controller's vote: %v", err)
	}
	for _, in := range []any{record.Vote{}, "vote"} {
		if err := call(in); !errors.As(err, &refused) || refused.Code != http.StatusBadRequest {
			t.Errorf("%v: %v", in, err)
		}
	}
	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	if r, err := stranger.Post("https://"+api.Addr().String()+"/v1/votes", "", strings.NewReader(`{"voter":"x"}`)); err == nil {
		r.Body.Close()
		t.Error("a vote without a certificate was taken")
	}
	for path, want := range map[string]string{
		"/livez": "ok", "/readyz": "ok", "/metrics": `mosqbuild_failover_probe_silence_seconds{role="primary"}`,
	} {
		if code, body := get(t, "http://"+health.Addr().String()+path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, url string) (int, string) {
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, b.String()
}

// TestGuardsAreAsked has the paths and parameters that guards know.
func TestGuardsAreAsked(t *testing.T) {
	id, l := identity(t), listen(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Get("after") != "7" || q.Get("wait") != "125" {
			http.Error(w, r.URL.String(), http.StatusBadRequest)
			return
		}
		peer.Reply(w, http.StatusOK, record.Status{Role: primary, Revision: 8})
	})
	mux.HandleFunc("PUT /v1/record", func(w http.ResponseWriter, r *http.Request) {
		var got record.Record
		if json.NewDecoder(r.Body).Decode(&got) == nil {
			peer.Reply(w, http.StatusOK, record.Status{Role: primary, Epoch: got.Epoch})
		}
	})
	go func() { _ = peer.Serve(t.Context(), l, id, mux) }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	d := &peer.Dialer{Lookup: func(_ context.Context, host string) ([]string, error) {
		if host != "m-primary-guard" {
			return nil, errors.New("no such name")
		}
		return []string{"127.0.0.1"}, nil
	}}
	s := settings()
	s.Name = "m"
	g := failover.Agents{Client: peer.NewClient(id, d)}.GuardsAt(s, port)[primary]
	if st, err := g.Status(t.Context(), 7, 125*time.Millisecond); err != nil || st.Revision != 8 {
		t.Errorf("%+v, %v", st, err)
	}
	if st, err := g.Push(t.Context(), record.Record{Epoch: 9, Active: primary}); err != nil || st.Epoch != 9 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestReadLogin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "login")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("-u health\n-P a b\n")
	if l, err := failover.ReadLogin(file, "a", "ca"); err != nil || l.Username != "health" || string(l.Password) != "a b" || l.Voter != "a" || l.CA != "ca" {
		t.Errorf("%+v, %v", l, err)
	}
	write("-u health\n-P secret\n-t topic\n")
	if _, err := failover.ReadLogin(file, "a", "ca"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	if _, err := failover.ReadLogin(file+"x", "a", "ca"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestProbersWantTheRightAuthority has a controller shake hands with a listener
// whose certificate has a name that nobody asks for.
func TestProbersWantTheRightAuthority(t *testing.T) {
	dir := peertest.Certificates(t, "mqtt.example.com")
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, config.CertFile), filepath.Join(dir, config.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ca   string
		want bool
	}{
		"its own": {dir, true}, "another": {peertest.Certificates(t, "mqtt.example.com"), false},
	} {
		broker := listen(t)
		go func() {
			if server, err := broker.Accept(); err == nil {
				_ = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{pair}}).HandshakeContext(t.Context())
				server.Close()
			}
		}()
		client, err := net.Dial("tcp", broker.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer broker.Close()
		l := failover.Login{CA: filepath.Join(c.ca, config.CAFile)}
		if conn, err := l.Secure(t.Context(), client); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		} else if err == nil {
			conn.Close()
		}
	}
}
