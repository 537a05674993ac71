package kube_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/kube/election"
)

// hole is a TCP proxy before a server, of which the connections can go dead:
// they stay open, and nothing passes any more.
type hole struct {
	net.Listener
	to    string
	dials atomic.Int32
	mu    sync.Mutex
	conns []net.Conn
	dead  []*atomic.Bool
}

func newHole(t *testing.T, to string) *hole {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{Listener: l, to: to}
	go h.serve()
	t.Cleanup(func() {
		l.Close()
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, c := range h.conns {
			c.Close()
		}
	})
	return h
}

func (h *hole) serve() {
	for {
		in, err := h.Accept()
		if err != nil {
			return
		}
		h.dials.Add(1)
		out, err := net.Dial("tcp", h.to)
		if err != nil {
			in.Close()
			continue
		}
		dead := new(atomic.Bool)
		h.mu.Lock()
		h.conns, h.dead = append(h.conns, in, out), append(h.dead, dead)
		h.mu.Unlock()
		pass := func(to, from net.Conn) {
			buf := make([]byte, 4096)
			for {
				n, err := from.Read(buf)
				if err != nil && !dead.Load() {
					to.Close()
				}
				if err != nil {
					return
				}
				if !dead.Load() {
					to.Write(buf[:n])
				}
			}
		}
		go pass(out, in)
		go pass(in, out)
	}
}

// kill has all connections that there are go dead.
func (h *hole) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, dead := range h.dead {
		dead.Store(true)
	}
}

func TestADeadConnectionCostsOneCall(t *testing.T) {
	s := newServer(t)
	h := newHole(t, s.Listener.Addr().String())
	client, err := kube.Config(s.kubeconfig(t, h.Addr().String()), "", "")
	if err != nil {
		t.Fatal(err)
	}
	get := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		_, err := client.Service(ctx, "mqtt")
		return err
	}
	// Four at once, which meet, so that as many connections are open, and none is
	// still being made that a call didn't wait for.
	var wg sync.WaitGroup
	var came atomic.Int32
	all := make(chan struct{})
	s.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if came.Add(1) == 4 {
			close(all)
		}
		select {
		case <-all:
		case <-r.Context().Done():
		}
		return false
	}
	for range 4 {
		wg.Go(func() {
			if err := get(30 * time.Second); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	opened := h.dials.Load()
	if err := get(30 * time.Second); err != nil || h.dials.Load() != opened {
		t.Errorf("%d connections instead of %d; %v", h.dials.Load(), opened, err)
	}
	h.kill()
	start := time.Now()
	if err := get(200 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("over a dead connection: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("a call of 200ms took %v", took)
	}
	if err := get(30 * time.Second); err != nil {
		t.Errorf("after that: %v", err)
	}
	if h.dials.Load() == opened {
		t.Error("no connection was opened")
	}
}

func TestNobodyThere(t *testing.T) {
	s := newServer(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := kube.Config(s.kubeconfig(t, l.Addr().String()), "", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := client.Service(ctx, "mqtt"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("a call of 100ms took %v", took)
	}
}

func TestConfig(t *testing.T) {
	s := newServer(t)
	path := s.kubeconfig(t, s.Listener.Addr().String())
	t.Setenv("KUBECONFIG", "")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("HOME", t.TempDir())
	for _, c := range []struct{ kubeconfig, context, namespace, want string }{
		{path, "", "", "iot"}, {path, "two", "", "default"}, {path, "two", "mine", "mine"},
	} {
		client, err := kube.Config(c.kubeconfig, c.context, c.namespace)
		if err != nil || client.Namespace() != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
	broken := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"", ""}, {path, "three"}, {path + ".none", ""}, {broken, ""}} {
		_, err := kube.Config(c[0], c[1], "")
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "--kubeconfig") {
			t.Errorf("%q: %v; hint %q", c, err, fault.HintOf(err))
		}
	}
	t.Setenv("KUBECONFIG", path)
	if client, err := kube.Config("", "", ""); err != nil || client.Namespace() != "iot" {
		t.Errorf("$KUBECONFIG: %v", err)
	}
	if _, err := kube.InCluster(); err == nil || fault.HintOf(err) == "" {
		t.Errorf("in no cluster: %v; hint %q", err, fault.HintOf(err))
	}
}

// TestSilence: client-go logs to stderr unless it is kept from it.
func TestSilence(t *testing.T) {
	s := newServer(t)
	s.remove(leasePath)
	client := s.client(t)
	old := os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = w
	electErr := election.Run(context.Background(), client, standing("me", func(context.Context) {}))
	os.Stderr = old
	w.Close()
	if out, _ := io.ReadAll(r); len(out) > 0 || electErr == nil {
		t.Errorf("printed %q, returned %v", out, electErr)
	}
}
