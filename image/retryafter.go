package image

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// retryAfterMost is how long a registry may have us wait. One that wants more
// is asked again as if it had said nothing, and its answer shown in the end.
const retryAfterMost = time.Minute

// obey waits for as long as an answer asks whoever comes again to, with
// Retry-After: seconds, or a date (RFC 9110, section 10.2.3).
func obey(ctx context.Context, resp *http.Response) error {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return nil
	}
	wait := retryAfter(resp.Header.Get("Retry-After"), time.Now())
	if wait <= 0 || wait > retryAfterMost {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads the field's value; 0 is nothing that can be read.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return at.Sub(now)
	}
	return 0
}
