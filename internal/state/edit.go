package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/passwd"
)

// maxOption is what fits in a line that Mosquitto's clients read from an
// option file (1,024 bytes with the end), behind "-P ".
const maxOption = 1000

// Passwords changes the password file by edit and keeps it; an error of edit
// leaves it as it was.
func (d Dir) Passwords(edit func(*passwd.File) error) error {
	return d.locked(func() error { return editFile(d.Passwd(), secret, edit) })
}

// SetLogin gives user the password, hashed by h. Where user is first, the user
// that the clients log in as, or the health user, the files that log in with
// the password are kept in step.
func (d Dir) SetLogin(first, user string, password []byte, h passwd.Hasher) error {
	hash, err := h.Hash(password)
	if err != nil {
		return err
	}
	keep := map[string]func(user, password string) error{first: d.writeLogin, config.HealthUser: d.writeHealth}[user]
	if keep != nil && (len(user) > maxOption || len(password) > maxOption || strings.ContainsAny(string(password), "\r\n\x00")) {
		return fmt.Errorf("user %q: %w: Mosquitto's clients read it from a line of at most %d bytes", user, passwd.ErrPassword, maxOption)
	}
	return d.Passwords(func(f *passwd.File) error {
		if err := f.Set(user, hash); err != nil || keep == nil {
			return err
		}
		return keep(user, string(password))
	})
}

// DeleteLogin removes user, and where user is first or the health user, the
// files that log in as it. It tells whether there was such a user.
func (d Dir) DeleteLogin(first, user string) (had bool, err error) {
	err = d.Passwords(func(f *passwd.File) error {
		had = f.Delete(user)
		return nil
	})
	if err != nil || !had {
		return had, err
	}
	var stale []string
	switch user {
	case first:
		stale = []string{passwordFile, filepath.Join(clientDir, "mosquitto_pub"), filepath.Join(clientDir, "mosquitto_sub")}
	case config.HealthUser:
		stale = []string{filepath.Join(healthDir, config.OptionsFile)}
	}
	for _, name := range stale {
		if e := os.Remove(filepath.Join(d.Path, name)); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return had, err
}

// EditFile changes a password file outside the state folder by edit. A file
// that is there keeps its owner and permissions, a new one gets 0600; what a symbolic
// link points to is changed, not the link.
func EditFile(path string, edit func(*passwd.File) error) error {
	mode := secret
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return editFile(path, mode, edit)
}

func editFile(path string, mode fs.FileMode, edit func(*passwd.File) error) error {
	return atomicfile.Edit(path, mode, func(old []byte) ([]byte, error) {
		f, err := passwd.Parse(old)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", path, err)
		}
		if err := edit(f); err != nil {
			return nil, err
		}
		return f.Bytes(), nil
	})
}
