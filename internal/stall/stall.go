// Package stall ends HTTP requests of which no byte moves any more. Use it where a
// transfer may take as long as it likes, but a server that hangs must not hang us:
// Go's own limits end with the head of the answer, and that on waiting for it
// begins when the request's body is out. It tries nothing again.
package stall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// Error is a server that moved no byte. It is a timeout, as net.Error has it.
type Error struct {
	sent  bool
	limit time.Duration
}

var _ net.Error = (*Error)(nil)

// Error says what the server didn't do, and for how long.
func (e *Error) Error() string {
	if e.sent {
		return fmt.Sprintf("the server took nothing of what was sent for %v", e.limit)
	}
	return fmt.Sprintf("the server stopped in the middle of its answer: nothing came for %v", e.limit)
}

// Timeout is true.
func (*Error) Timeout() bool { return true }

// Temporary is true.
func (*Error) Temporary() bool { return true }

// Transport ends a request with an *Error where its server takes nothing of it for
// Limit, or sends nothing of an answer that it began. How long it may take to begin
// is for Base to bound. Several goroutines may use it.
type Transport struct {
	Base  http.RoundTripper
	Limit time.Duration
}

var _ http.RoundTripper = Transport{}

// RoundTrip implements http.RoundTripper. Connecting counts as sending.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	sending := time.AfterFunc(t.Limit, func() { cancel(&Error{true, t.Limit}) })
	sent := httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sending.Stop() }}
	watched := r.WithContext(httptrace.WithClientTrace(ctx, &sent))
	if r.Body != nil && r.Body != http.NoBody {
		watched.Body = sentBody{r.Body, sending, t.Limit}
	}
	if r.GetBody != nil {
		watched.GetBody = func() (io.ReadCloser, error) {
			body, err := r.GetBody()
			if err != nil || body == http.NoBody {
				return body, err
			}
			return sentBody{body, sending, t.Limit}, nil
		}
	}
	resp, err := t.Base.RoundTrip(watched)
	sending.Stop()
	if err != nil {
		err = why(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Request = r
	coming := time.AfterFunc(t.Limit, func() { cancel(&Error{false, t.Limit}) })
	coming.Stop() // until it is read
	resp.Body = answer{resp.Body, coming, t.Limit, func(err error) error { return why(ctx, err) }, func() {
		sending.Stop()
		cancel(nil)
	}}
	return resp, nil
}

// why is err, or the stall that led to it.
func why(ctx context.Context, err error) error {
	if stalled := (*Error)(nil); errors.As(context.Cause(ctx), &stalled) {
		return stalled
	}
	return err
}

// sentBody is the body of a request. The time runs while nobody wants more of it:
// what takes long to make isn't the server's fault.
type sentBody struct {
	io.ReadCloser
	timer *time.Timer
	limit time.Duration
}

func (b sentBody) Read(p []byte) (int, error) {
	b.timer.Stop()
	n, err := b.ReadCloser.Read(p)
	b.timer.Reset(b.limit)
	return n, err
}

// answer is the body of an answer. The time runs while somebody waits for more of
// it: who reads slowly may.
type answer struct {
	io.ReadCloser
	timer *time.Timer
	limit time.Duration
	why   func(error) error
	end   func()
}

func (b answer) Read(p []byte) (int, error) {
	b.timer.Reset(b.limit)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.why(err)
	}
	return n, err
}

func (b answer) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}
