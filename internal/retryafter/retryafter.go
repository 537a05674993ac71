// Package retryafter reads how long a server has whoever asks again wait. Use it
// where requests are tried again; it neither waits nor tries.
package retryafter

import (
	"net/http"
	"strconv"
	"time"
)

// Most is how long a server may have us wait: who needs longer is out of order,
// and had better be told to the user.
const Most = time.Minute

// Of returns the time that the field Retry-After asks for, seconds or until a
// date (RFC 9110, section 10.2.3); 0 where there is none, or it has passed.
func Of(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}
