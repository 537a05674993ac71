package passwd

import (
	"errors"
	"fmt"
	"strings"
)

// Format tells what the file is by its hashes: Htpasswd where one of them is
// of a kind that Apache's htpasswd writes and none is Mosquitto's, else
// Mosquitto.
func (f *File) Format() Format {
	format := Mosquitto
	for _, l := range f.lines {
		for _, kind := range []string{"$7$", "$6$", "$argon2"} {
			if strings.HasPrefix(string(l.hash), kind) {
				return Mosquitto
			}
		}
		for _, kind := range []string{"$2y$", "$2a$", "$2b$", "$apr1$", "{SHA}"} {
			if strings.HasPrefix(string(l.hash), kind) {
				format = Htpasswd
			}
		}
	}
	return format
}

// Problems returns what the reader of the file would object to or silently
// skip, a *LineError each. For a file of Format Mosquitto that is the broker:
// 2.0 drops such lines, 2.1 does not start with some of them.
func (f *File) Problems() []error {
	var out []error
	format := f.Format()
	for i, l := range f.lines {
		if err := f.problem(format, i, l); err != nil {
			out = append(out, &LineError{Line: i + 1, Err: err})
		}
	}
	return out
}

func (f *File) problem(format Format, i int, l line) error {
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
	if err := h.portable(); err != nil && format == Mosquitto {
		return fmt.Errorf("user %q: %w", l.user, err)
	}
	return nil
}
