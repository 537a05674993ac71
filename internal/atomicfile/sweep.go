package atomicfile

import (
	"os"
	"path/filepath"
	"time"
)

// abandoned is how old a temporary file is that nobody writes to any more.
const abandoned = 24 * time.Hour

// Sweep removes what killed processes left in dir long ago: files that match
// pattern, as filepath.Match has it. What it can't remove stays.
func Sweep(dir, pattern string) {
	entries, _ := os.ReadDir(dir) // where there is no folder, nothing was left
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < abandoned {
			continue
		}
		if ours, _ := filepath.Match(pattern, e.Name()); ours {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
