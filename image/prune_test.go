package image

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// The cache keeps the layers used last, and those that another build may be
// reading.
func TestPruneKeepsWhatIsInUse(t *testing.T) {
	dir := t.TempDir()
	entry := func(i int) layerCache { return layerCache{dir, fmt.Sprintf("%02d", i), packings[Gzip]} }
	write := func(i int) {
		t.Helper()
		if _, err := entry(i).write(t.Context(), nil, base{}, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	there := func(i int) bool {
		_, _, err := entry(i).read()
		return err == nil
	}
	for i := range cacheKeep + 2 {
		write(i)
		old := time.Now().Add(-2 * cacheUse).Add(time.Duration(i) * time.Second)
		if err := os.Chtimes(entry(i).info(), old, old); err != nil {
			t.Fatal(err)
		}
	}
	// The first two went when the last two were written; the third, the oldest, is
	// read, and so is in use.
	if there(0) || there(1) || !there(2) {
		t.Error("those that are used last don't stay, or others do")
	}
	write(90)
	if !there(2) || there(3) {
		t.Error("what was just read is removed, or what wasn't stays")
	}
	for i := range cacheKeep {
		write(100 + i)
	}
	if !there(2) || !there(90) {
		t.Error("what was just used is removed, for there is more of it than is kept")
	}
}
