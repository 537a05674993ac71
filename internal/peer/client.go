package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxMessage is the most that a JSON message may have, on either side.
const maxMessage = 64 << 10

// Client calls other agents. Its methods may be called from several goroutines.
type Client struct {
	http *http.Client
}

// NewClient returns one that shows id and connects by d. Connections are kept
// open, and given up with the first call over them that isn't answered in time.
func NewClient(id *Identity, d *Dialer) *Client {
	return &Client{&http.Client{Transport: &http.Transport{
		DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return d.DialWith(ctx, address, func(ctx context.Context, c net.Conn) (net.Conn, error) {
				secure := tls.Client(c, id.Client())
				if err := secure.HandshakeContext(ctx); err != nil {
					c.Close()
					return nil, err
				}
				return secure, nil
			})
		},
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     30 * time.Second,
	}}}
}

// StatusError is an answer whose code says no.
type StatusError struct {
	Code int
	Text string
}

// Error returns the code and what was said.
func (e *StatusError) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Text) }

// Call sends in, unless it is nil, as JSON to the agent at address, "host:port",
// and reads the answer into out, unless that is nil. An answer other than 2xx
// is a *StatusError. ctx bounds it all.
func (c *Client) Call(ctx context.Context, method, address, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("asking %s for %q: %w", address, path, err)
		}
		body = bytes.NewReader(data)
	}
	answer, err := c.send(ctx, method, address, path, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	data, err := io.ReadAll(io.LimitReader(answer, maxMessage))
	if err == nil && out != nil {
		err = json.Unmarshal(data, out)
	}
	if err != nil {
		return fmt.Errorf("asking %s for %q: %w", address, path, err)
	}
	return nil
}

// Stream is the answer to a GET, as it comes; the caller closes it.
func (c *Client) Stream(ctx context.Context, address, path string) (io.ReadCloser, error) {
	return c.send(ctx, http.MethodGet, address, path, nil)
}

// Close gives up connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) send(ctx context.Context, method, address, path string, body io.Reader) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, "https://"+address+path, body)
	if err != nil {
		return nil, fmt.Errorf("asking %s for %q: %w", address, path, err)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking %s for %q: %w", address, path, err)
	}
	if answer.StatusCode/100 != 2 {
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // it is only for people
		return nil, fmt.Errorf("asking %s for %q: %w", address, path, &StatusError{answer.StatusCode, string(bytes.TrimSpace(text))})
	}
	return answer.Body, nil
}
