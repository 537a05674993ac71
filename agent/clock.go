package agent

import (
	"time"

	"golang.org/x/sys/unix"
)

// start0 stands in for a clock that there isn't.
var start0 = time.Now()

// uptime is a clock that only goes forward and that counts the time in which
// the machine slept: Go's own stands still then, and with it a permit's age.
func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return time.Since(start0)
	}
	return time.Duration(t.Nano())
}
