package stall_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/stall"
)

const limit = 30 * time.Second

// pipes is a listener whose connections are in memory, so that time is synctest's.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error { close(p); return nil }

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

// run has do ask a server that answers with h.
func run(t *testing.T, h http.HandlerFunc, do func(*http.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		to := make(pipes)
		s := &http.Server{Handler: h, ReadHeaderTimeout: time.Hour}
		ended := make(chan error)
		go func() { ended <- s.Serve(to) }()
		base := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			to <- there
			return here, nil
		}}
		do(&http.Client{Transport: stall.Transport{Base: base, Limit: limit}})
		base.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
}

// slow is a megabyte that comes in pieces, with a pause of twice the limit before
// each.
type slow struct{ left int }

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 {
		s.left = 4
	}
	if s.left--; s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(2 * limit)
	return min(len(p), 1<<18), nil
}

func TestEndsAnUploadThatStands(t *testing.T) {
	run(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, 1<<16)
		time.Sleep(10 * limit)
	}, func(c *http.Client) {
		began := time.Now()
		_, err := c.Post("http://x", "", io.LimitReader(bytes.NewReader(make([]byte, 1<<20)), 1<<20)) //nolint:bodyclose // there is none
		want(t, err, "took nothing of what was sent for 30s")
		if took := time.Since(began); took != limit {
			t.Errorf("it took %v", took)
		}
		time.Sleep(10 * limit)
	})
}

func TestEndsAnAnswerThatStands(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, func(c *http.Client) {
		resp, err := c.Get("http://x")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		got, err := io.ReadAll(resp.Body)
		want(t, err, "nothing came for 30s")
		if took := time.Since(began); took != limit || string(got) != "begun" {
			t.Errorf("%q came, and it took %v", got, took)
		}
		resp.Body.Close()
	})
}

func TestBearsWhatIsSlow(t *testing.T) {
	run(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if n == 0 || err != nil {
			t.Errorf("%d bytes came, %v", n, err)
		}
		time.Sleep(3 * limit) // Base bounds this
		for range 4 {
			_, _ = w.Write(make([]byte, 1<<18))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(limit / 2)
		}
	}, func(c *http.Client) {
		resp, err := c.Post("http://x", "", &slow{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * limit)
		if n, err := io.Copy(io.Discard, resp.Body); n != 1<<20 || err != nil {
			t.Errorf("%d bytes came, %v", n, err)
		}
		resp.Body.Close()
	})
}

func TestKeepsConnectionsAndOtherErrors(t *testing.T) {
	var asked atomic.Int32
	run(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/hangs" {
			<-r.Context().Done()
		}
	}, func(c *http.Client) {
		for range 3 {
			resp, err := c.Post("http://x", "", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://x/hangs", nil)
		if _, err := c.Do(r); !errors.Is(err, context.DeadlineExceeded) { //nolint:bodyclose // there is none
			t.Errorf("%v, want that of the context", err)
		}
		if n := asked.Load(); n != 4 {
			t.Errorf("asked %d times", n)
		}
	})
}

// want checks that err is a stall that says so.
func want(t *testing.T, err error, text string) {
	t.Helper()
	stalled, timeout := (*stall.Error)(nil), net.Error(nil)
	if !errors.As(err, &stalled) || !errors.As(err, &timeout) || !timeout.Timeout() || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q", err, text)
	}
}
