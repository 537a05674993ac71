package atomicfile

import (
	"os"
	"path/filepath"
	"time"
)

// Abandoned is how old a temporary file is that nobody writes to any more, where
// nothing else tells.
const Abandoned = 24 * time.Hour

// Temporary is the pattern of what Write and Stream call a file of that name, which
// may be a pattern itself, until it is whole.
func Temporary(name string) string { return "." + name + ".*" }

// Sweep removes what killed processes left in dir: files that match pattern, as
// filepath.Match has it, and are at least that old. What it can't remove stays.
func Sweep(dir, pattern string, age time.Duration) {
	entries, _ := os.ReadDir(dir) // where there is no folder, nothing was left
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < age {
			continue
		}
		if ours, _ := filepath.Match(pattern, e.Name()); ours {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
