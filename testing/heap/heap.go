// Package heap measures what a function holds in memory, for tests that it
// stays flat. It is none of a benchmark: garbage doesn't count.
package heap

import (
	"runtime"
	"runtime/metrics"
	"time"
)

// Peak runs do and returns the most bytes of live objects that the heap had
// meanwhile, beyond those it had before. It collects garbage every few
// milliseconds to see them; what is held for less time may be missed. Nothing
// else should run meanwhile.
func Peak(do func()) int64 {
	before := live()
	peak, stop, done := before, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			peak = max(peak, live())
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	do()
	close(stop)
	<-done
	return peak - before
}

func live() int64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64()) //nolint:gosec // no machine has so much memory
}
