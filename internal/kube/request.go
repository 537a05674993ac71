package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/util/net"
)

// Errors that calls wrap, with the API server's words.
var (
	// ErrConflict says that the object isn't what the call was made for.
	ErrConflict = errors.New("somebody else has changed it")
	// ErrForbidden says that the login is missing or lacks the right.
	ErrForbidden = errors.New("the API server forbids it")
	// ErrNotFound says that there is no such object.
	ErrNotFound = errors.New("there is none")
)

// maxAnswer is more than the API server stores of an object.
const maxAnswer = 8 << 20

// request is one call.
type request struct {
	method string
	// api is "api/v1" or "apis/GROUP/VERSION"; path goes below the namespace.
	api, kind, name string
	// contentType is in's. Default: JSON.
	contentType string
	in          any
}

func (r request) String() string {
	verb := map[string]string{http.MethodGet: "reading", http.MethodPost: "creating", http.MethodPut: "updating", http.MethodPatch: "patching"}[r.method]
	return fmt.Sprintf("%s %s %q", verb, r.kind, r.name)
}

// do makes a call and reads its answer into out.
func (c *Client) do(ctx context.Context, r request, out any) error {
	var body io.Reader
	if r.in != nil {
		data, err := json.Marshal(r.in)
		if err != nil {
			return fmt.Errorf("%v: %w", r, err)
		}
		body = bytes.NewReader(data)
	}
	path := []string{r.api, "namespaces", c.namespace, r.kind}
	if r.method != http.MethodPost {
		path = append(path, r.name)
	}
	q, err := http.NewRequestWithContext(ctx, r.method, c.base.JoinPath(path...).String(), body)
	if err != nil {
		return fmt.Errorf("%v: %w", r, err)
	}
	q.Header.Set("Accept", "application/json")
	if r.in != nil {
		q.Header.Set("Content-Type", r.contentType)
		if r.contentType == "" {
			q.Header.Set("Content-Type", "application/json")
		}
	}
	if err := c.send(q, out); err != nil {
		return fmt.Errorf("%v: %w", r, err)
	}
	return nil
}

func (c *Client) send(q *http.Request, out any) error {
	answer, err := c.http.Do(q)
	if err != nil {
		c.forget()
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		c.forget()
		return fmt.Errorf("reading the answer: %w", err)
	}
	if answer.StatusCode/100 != 2 {
		return refusal(answer.StatusCode, data)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// forget closes the connections that wait for a call: where one gave no answer
// the others lead to the same silence, and each would cost a call its time.
func (c *Client) forget() { net.CloseIdleConnectionsFor(c.http.Transport) }

// statusError is an answer that says no.
type statusError struct {
	code    int
	message string
}

// Error returns what the API server said.
func (e *statusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.code, http.StatusText(e.code), e.message)
}

// refusal reads the API server's metav1.Status.
func refusal(code int, body []byte) error {
	var status struct{ Message string }
	if json.Unmarshal(body, &status) != nil || status.Message == "" {
		status.Message = fmt.Sprintf("%.200q", body)
	}
	err := error(&statusError{code, status.Message})
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	case http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case http.StatusConflict:
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// codeOf returns the API server's code in err, or 0.
func codeOf(err error) int {
	if e := (*statusError)(nil); errors.As(err, &e) {
		return e.code
	}
	return 0
}
