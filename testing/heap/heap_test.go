package heap

import (
	"runtime"
	"testing"
	"time"
)

// TestPeak: what is held counts, what is dropped doesn't.
func TestPeak(t *testing.T) {
	const size = 32 << 20
	held := Peak(func() {
		data := make([]byte, size)
		time.Sleep(2 * time.Second) // on a busy machine Peak looks seldom
		runtime.KeepAlive(data)
	})
	if held < size || held > size+4<<20 {
		t.Errorf("holding %d bytes: %d", size, held)
	}
	dropped := Peak(func() {
		for range 32 {
			_ = append([]byte(nil), make([]byte, size/32)...)
			time.Sleep(time.Millisecond)
		}
	})
	if dropped > 8<<20 {
		t.Errorf("holding a megabyte at a time: %d", dropped)
	}
}
