package passwd

import (
	"errors"
	"fmt"
	"strings"
)

// Problems returns what the broker would object to or silently skip, a
// *LineError each: Mosquitto 2.0 drops such lines, 2.1 does not start with
// some of them.
func (f *File) Problems() []error {
	var out []error
	for i, l := range f.lines {
		if err := f.problem(i, l); err != nil {
			out = append(out, &LineError{Line: i + 1, Err: err})
		}
	}
	return out
}

func (f *File) problem(i int, l line) error {
	if l.user == "" {
		text := strings.Trim(l.raw, space)
		switch {
		case text == "" || strings.HasPrefix(l.raw, "#"):
			return nil
		case strings.Contains(text, ":"):
			return fmt.Errorf("%w: it is empty", ErrUser)
		}
		return errors.New("no colon: the broker skips this line")
	}
	if err := CheckUser(l.user); err != nil {
		return err
	}
	if f.index[l.user] != i {
		return fmt.Errorf("user %q: %w", l.user, ErrDuplicate)
	}
	h, err := l.hash.parse()
	if err != nil {
		return fmt.Errorf("user %q: %w", l.user, err)
	}
	if err := h.portable(); err != nil {
		return fmt.Errorf("user %q: %w", l.user, err)
	}
	return nil
}
