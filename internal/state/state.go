package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Names below the state folder.
const (
	// DirName is the folder's name beside mosqbuild.yaml.
	DirName      = ".mosqbuild"
	certsDir     = "certs"
	imageDir     = "image"
	agentImage   = "image-agent"
	clientDir    = "client"
	healthDir    = "health"
	agentDir     = "agent" // of a pair's agents
	passwdFile   = "passwd"
	passwordFile = "password"
	caKeyFile    = "ca.key"
)

const secret = fs.FileMode(0o600)

// Dir is a state folder. It needn't exist: the first method that makes
// something makes it, at 0700 with a .gitignore of everything.
type Dir struct {
	Path string
	// Now is the clock that certificates are dated with; nil is time.Now.
	Now func() time.Time
	// Rand is where keys and passwords come from; nil is crypto/rand's Reader.
	Rand io.Reader
}

// Secrets returns the credentials that cfg asks for, making those that are
// missing; files that cfg names are relative to base. An error that the user
// can mend carries the command for it.
func (d Dir) Secrets(cfg config.Config, base string) (files.Secrets, error) {
	var s files.Secrets
	err := d.locked(func() error {
		err := d.logins(cfg, &s)
		if cfg.HasTLS() {
			err = errors.Join(err, d.certificates(cfg, base, &s))
		}
		return err
	})
	return s, err
}

// Image returns the folder of the OCI layout that was last built.
func (d Dir) Image() string { return filepath.Join(d.Path, imageDir) }

// AgentImage returns the same of the agents' image.
func (d Dir) AgentImage() string { return filepath.Join(d.Path, agentImage) }

// Client returns the folder to name in XDG_CONFIG_HOME for mosquitto_pub and
// mosquitto_sub to log in as the first user.
func (d Dir) Client() string { return filepath.Join(d.Path, clientDir) }

// Passwd returns the path of the broker's password file.
func (d Dir) Passwd() string { return filepath.Join(d.Path, passwdFile) }

// CA returns the path of the CA certificate that clients trust.
func (d Dir) CA() string { return filepath.Join(d.Path, certsDir, config.CAFile) }

// locked makes the folder and runs f while no other process is in it.
func (d Dir) locked(f func() error) error {
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		return fault.Hint(fmt.Errorf("making the state folder: %w", err), "name a folder that you can write to: --state DIR")
	}
	lock, err := os.OpenFile(filepath.Join(d.Path, "lock"), os.O_CREATE|os.O_RDWR, secret)
	if err != nil {
		return fault.Hint(fmt.Errorf("locking the state folder: %w", err), "name a folder that you can write to: --state DIR")
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking the state folder: %w", err)
	}
	ignore := filepath.Join(d.Path, ".gitignore")
	if _, err := os.Lstat(ignore); errors.Is(err, fs.ErrNotExist) {
		if err := atomicfile.Write(ignore, []byte("*\n"), 0o644); err != nil {
			return err
		}
	}
	return f()
}

// write writes a file below the folder, making the folders between.
func (d Dir) write(data []byte, elem ...string) error {
	path := filepath.Join(append([]string{d.Path}, elem...)...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, data, secret)
}

// read returns a file's content, nil where there is none.
func (d Dir) read(elem ...string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(append([]string{d.Path}, elem...)...))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (d Dir) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}
