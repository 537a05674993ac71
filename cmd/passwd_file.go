package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/state"
	"github.com/mosqbuild/mosqbuild/passwd"
)

// passwdFile is the password file that a command works on.
type passwdFile struct {
	a    *app
	Path string // --file; "" is the state folder's
}

func (p *passwdFile) flag(c *cobra.Command) {
	c.Flags().StringVar(&p.Path, "file", "", "password `file` (default: .mosqbuild/passwd)")
}

// kept tells whether the file is the state folder's, which other files there
// are kept in step with.
func (p *passwdFile) kept() bool {
	if p.Path == "" {
		return true
	}
	file, err1 := filepath.Abs(p.Path)
	own, err2 := filepath.Abs(p.a.state().Passwd())
	return err1 == nil && err2 == nil && file == own
}

func (p *passwdFile) path() string {
	if p.kept() {
		return p.a.state().Passwd()
	}
	return p.Path
}

// edit changes the file by change, making it where there is none.
func (p *passwdFile) edit(change func(*passwd.File) error) error {
	if p.kept() {
		return p.a.state().Passwords(change)
	}
	return state.EditFile(p.Path, change)
}

// add is edit with hashes of format, which mustn't be mixed with another's.
func (p *passwdFile) add(format passwd.Format, change func(*passwd.File) error) error {
	return p.edit(func(f *passwd.File) error {
		if len(f.Users()) > 0 && f.Format() != format {
			return fault.With(fault.Usage, fault.Hint(fmt.Errorf("%q is a file of format %s", p.path(), f.Format()), "add --format %s", f.Format()))
		}
		return change(f)
	})
}

// read reads the file and says what the broker would object to.
func (p *passwdFile) read() (*passwd.File, error) {
	data, err := os.ReadFile(p.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Hint(fmt.Errorf("there is no password file %q", p.path()), "run: mosqbuild passwd set USER")
	}
	if err != nil {
		return nil, err
	}
	f, err := passwd.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", p.path(), err)
	}
	return f, nil
}

// hashing is how new passwords are hashed.
type hashing struct {
	Format     string
	Iterations int
}

func (h *hashing) flags(c *cobra.Command) {
	c.Flags().StringVar(&h.Format, "format", string(passwd.Mosquitto), "`kind` of file: mosquitto, or htpasswd (bcrypt) for registries and proxies")
	c.Flags().IntVar(&h.Iterations, "iterations", passwd.DefaultIterations, "`number` of PBKDF2 iterations")
}

// hasher checks the flags; a slow hash is allowed, but not silently.
func (h hashing) hasher(p passwdFile) (passwd.Hasher, error) {
	format, err := passwd.ParseFormat(h.Format)
	switch {
	case err != nil:
	case h.Iterations < 1 || h.Iterations > passwd.MaxIterations:
		err = fmt.Errorf("--iterations %d is not between 1 and %d", h.Iterations, passwd.MaxIterations)
	case format == passwd.Htpasswd && p.kept():
		err = fault.Hint(errors.New("the broker does not read htpasswd files"), "name another file: --file FILE")
	}
	if err != nil {
		return passwd.Hasher{}, fault.With(fault.Usage, err)
	}
	if h.Iterations > passwd.WarnIterations {
		p.a.note("%d iterations: each login holds up the whole broker; above %d a flood of logins stops it", h.Iterations, passwd.WarnIterations)
	}
	return passwd.Hasher{Format: format, Iterations: h.Iterations}, nil
}

// reload says what it takes for a changed file to count: registries and proxies
// look for themselves, and the state folder's is copied into what is made.
func (p *passwdFile) reload(format passwd.Format) string {
	switch {
	case format == passwd.Htpasswd:
		return ""
	case p.kept():
		return p.a.again(`; in a cluster once what "mosqbuild render" prints is applied, under podman once "mosqbuild image build" has run`)
	}
	return "; a running broker needs SIGHUP"
}

// first is the user whose password the state folder keeps for the clients.
func first(cfg config.Config) string {
	if len(cfg.Users) == 0 {
		return ""
	}
	return cfg.Users[0].Name
}
