package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
)

// store is the part of the cache folder that is this package's:
//
//	lock           held by the process that builds
//	sources.json   the source packages last resolved; of Mosquitto 2.1,
//	               sources-2.1.json
//	apt/           apt's private state
//	archives/      the source packages' files
//	steps/         results, NAME-KEY
//	repositories/  finished repositories of one architecture each, by key
//	views/         folders of links to those that belong together
//	repository     symbolic link to the present one; repository-2.1
//	logs/          what the last run of each step printed
//	work/          what is being made; emptied by the next build
type store struct{ root string }

func storeIn(cache string) store { return store{filepath.Join(cache, "source")} }

func (s store) path(elem ...string) string {
	return filepath.Join(append([]string{s.root}, elem...)...)
}

// lock makes the caller the only process that builds here; waiting is called
// once where another has to end first. The lock ends with the returned file.
func (s store) lock(ctx context.Context, waiting func()) (*os.File, error) {
	if err := os.MkdirAll(s.root, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Lock(ctx, f, waiting); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %q: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

// sweep removes what interrupted builds left. The lock must be held.
func (s store) sweep() error {
	if err := removeAll(s.path("work")); err != nil {
		return err
	}
	for _, dir := range []string{"work", "logs"} {
		if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// removeAll is os.RemoveAll for a folder in which killed processes may just be
// ending: one that still writes makes the first try fail.
func removeAll(path string) (err error) {
	for try := range 5 {
		if err = os.RemoveAll(path); err == nil {
			return nil
		}
		time.Sleep(time.Duration(try+1) * 20 * time.Millisecond)
	}
	return err
}
