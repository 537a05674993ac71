package image

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSeal changes a sealed file in each way in which one may change, and the
// machine's run with it.
func TestSeal(t *testing.T) {
	if boot() == "" {
		t.Skip("the system doesn't tell one run of it from another")
	}
	content := []byte("a layer")
	for name, tt := range map[string]struct {
		change func(path string, s *seal) error
		holds  bool
	}{
		"nothing":                {func(string, *seal) error { return nil }, true},
		"the same content again": {func(path string, _ *seal) error { return os.WriteFile(path, content, 0o600) }, false},
		"content of the same size": {func(path string, _ *seal) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("A")
			return errors.Join(err, f.Close())
		}, false},
		"cut, and its time set back": {func(path string, s *seal) error {
			return errors.Join(os.Truncate(path, 3), os.Chtimes(path, time.Time{}, s.Time))
		}, false},
		"another file renamed to it": {func(path string, _ *seal) error {
			return errors.Join(os.WriteFile(path+"2", content, 0o600), os.Rename(path+"2", path))
		}, false},
		"removed":        {func(path string, _ *seal) error { return os.Remove(path) }, false},
		"a start":        {func(_ string, s *seal) error { s.Boot = "another"; return nil }, false},
		"unknown starts": {func(_ string, s *seal) error { s.Boot = ""; return nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "blob")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s := sealed(path)
			if err := tt.change(path, &s); err != nil {
				t.Fatal(err)
			}
			if got := s.holds(path, int64(len(content))); got != tt.holds {
				t.Errorf("it holds: %v, want %v", got, tt.holds)
			}
		})
	}
}

// TestReadSeals reads a layer that was touched: its content is read then, and not
// the next time.
func TestReadSeals(t *testing.T) {
	if boot() == "" {
		t.Skip("the system doesn't tell one run of it from another")
	}
	c := layerCache{t.TempDir(), "layer", packings[Gzip]}
	if _, err := c.write(t.Context(), nil, base{}, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	read := func() error {
		_, _, err := c.read()
		return err
	}
	now := time.Now()
	if err := errors.Join(os.Chtimes(c.blob(), now, now), read()); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(c.blob())
	if err != nil {
		t.Fatal(err)
	}
	spoiled := make([]byte, st.Size())
	if err := errors.Join(os.WriteFile(c.blob(), spoiled, 0o600), os.Chtimes(c.blob(), now, st.ModTime())); err != nil {
		t.Fatal(err)
	}
	if err := read(); err != nil {
		t.Errorf("a sealed layer was read: %v", err)
	}
	if err := os.Chtimes(c.blob(), now, now); err != nil {
		t.Fatal(err)
	}
	if read() == nil {
		t.Error("a layer that isn't sealed was not read")
	}
}
