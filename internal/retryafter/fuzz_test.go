package retryafter_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/retryafter"
)

// FuzzOf asserts that no server has us wait for less than no time, and that
// what is well said, seconds or a date, is understood.
func FuzzOf(f *testing.F) {
	for _, value := range []string{"7", "-3", "1.5", "99999999999999999999", "Fri, 02 Jan 2026 03:05:05 GMT", "Friday, 02-Jan-26 03:05:05 GMT", "Fri Jan  2 03:05:05 2026"} {
		f.Add(value, uint16(60))
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	of := func(value string) time.Duration {
		return retryafter.Of(http.Header{"Retry-After": {value}}, now)
	}
	f.Fuzz(func(t *testing.T, value string, seconds uint16) {
		if got := of(value); got < 0 {
			t.Errorf("%q: %s", value, got)
		}
		want := time.Duration(seconds) * time.Second
		for _, said := range []string{strconv.Itoa(int(seconds)), now.Add(want).Format(http.TimeFormat)} {
			if got := of(said); got != want {
				t.Errorf("%q: %s, want %s", said, got, want)
			}
		}
	})
}
