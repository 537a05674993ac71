package image

import (
	"context"
	"net/http"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/retryafter"
)

// obey waits for as long as an answer asks whoever comes again to. One that asks
// for too long is asked again as if it had said nothing, and shown in the end.
func obey(ctx context.Context, resp *http.Response) error {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return nil
	}
	wait := retryafter.Of(resp.Header, time.Now())
	if wait <= 0 || wait > retryafter.Most {
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
