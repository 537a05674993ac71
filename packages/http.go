package packages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/retryafter"
)

// answer is what a server sent.
type answer struct {
	data      []byte
	tag       string // ETag, "" where the server gives none
	unchanged bool   // since what was asked about; data is nil
}

// retryError is a failure that another try may mend, after a pause where the
// server said how long.
type retryError struct {
	err   error
	after time.Duration
}

func (e *retryError) Error() string { return e.err.Error() }

func (e *retryError) Unwrap() error { return e.err }

// statusError is an answer that isn't the file. 404 is an fs.ErrNotExist.
type statusError struct {
	status string
	code   int
}

func (e statusError) Error() string { return fmt.Sprintf("the server answered %q", e.status) }

func (e statusError) Is(target error) bool {
	return target == fs.ErrNotExist && e.code == http.StatusNotFound
}

// fetch gets a file, trying again where that may help. Where had is what came
// before, the server may say that it hasn't changed. With to, the data is there.
func (r repository) fetch(ctx context.Context, name string, limit int64, had *answer, to *spool) (answer, error) {
	u, err := url.JoinPath(r.location, name)
	if err != nil {
		return answer{}, err
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		got, err := r.get(ctx, u, limit, had, to)
		again := (*retryError)(nil)
		if err == nil || !errors.As(err, &again) || attempt == attempts {
			return got, err
		}
		if again.after > retryafter.Most {
			return got, fmt.Errorf("%w, and asks to wait for %v", err, again.after)
		}
		select {
		case <-ctx.Done():
			return answer{}, context.Cause(ctx)
		case <-time.After(max(pause, again.after)):
			pause *= 4
		}
	}
}

// get fetches once.
func (r repository) get(ctx context.Context, u string, limit int64, had *answer, to *spool) (answer, error) {
	req, err := request(ctx, u, had)
	if err != nil {
		return answer{}, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // the caller names the URL, without a login
		}
		if hopeless(err) {
			return answer{}, err
		}
		return answer{}, &retryError{err: err}
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && had != nil {
		return answer{unchanged: true}, nil
	}
	if resp.StatusCode != http.StatusOK {
		err := statusError{resp.Status, resp.StatusCode}
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
			return answer{}, &retryError{err, retryafter.Of(resp.Header, time.Now())}
		}
		return answer{}, err
	}
	got := answer{tag: resp.Header.Get("ETag")}
	body := resp.Body
	if r.watch != nil {
		body = r.watch(path.Base(req.URL.Path), resp.ContentLength, body)
		defer body.Close()
	}
	if to != nil {
		err = to.fill(body, resp.ContentLength, limit)
	} else {
		got.data, err = readAll(body, resp.ContentLength, limit)
	}
	switch {
	case err == nil:
		return got, nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case isLocal(err):
		return answer{}, err
	}
	return answer{}, &retryError{err: err}
}

func request(ctx context.Context, u string, had *answer) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	// Else a server that labels .tar.gz as an encoding has it unpacked.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "mosqbuild")
	if had != nil {
		// If-Modified-Since would miss a change within the same second.
		req.Header.Set("If-None-Match", had.tag)
	}
	return req, nil
}

// hopeless says that another try would only wait as long for the same.
func hopeless(err error) bool {
	timeout, unknown := net.Error(nil), (*net.DNSError)(nil)
	return errors.As(err, &timeout) && timeout.Timeout() || errors.As(err, &unknown) && unknown.IsNotFound
}
