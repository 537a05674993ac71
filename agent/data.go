package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// lostFound is what a file system keeps at the root of a volume, for root alone.
const lostFound = "lost+found"

// holds tells whether there is anything in the folder dir. One that can't be
// read counts as full.
func holds(dir string) bool {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	for _, e := range entries {
		if e.Name() != lostFound {
			return true
		}
	}
	return err != nil
}

// empty removes what is in the folder dir. The folder itself stays: a volume is
// mounted there. It goes on after an error, to tell of all.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		if e.Name() != lostFound {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("emptying the data folder %q: %w", dir, err)
	}
	return nil
}
