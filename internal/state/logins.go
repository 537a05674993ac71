package state

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"slices"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/shell"
	"github.com/mosqbuild/mosqbuild/passwd"
)

// logins makes the first user's and the health user's passwords where the
// password file lacks them, and reads what the image needs. The other users
// are people's to set.
func (d Dir) logins(cfg config.Config, s *files.Secrets) error {
	err := atomicfile.Edit(d.Passwd(), secret, func(old []byte) ([]byte, error) {
		f, err := passwd.Parse(old)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", d.Passwd(), err)
		}
		have := f.Users()
		for i, u := range cfg.Users {
			switch {
			case slices.Contains(have, u.Name):
			case i > 0:
				return nil, fault.Hint(fmt.Errorf("user %q has no password", u.Name), "run: mosqbuild passwd set %s", shell.Quote(u.Name))
			default:
				if err := d.generate(f, u.Name, d.writeLogin); err != nil {
					return nil, err
				}
			}
		}
		if !slices.Contains(have, config.HealthUser) {
			if err := d.generate(f, config.HealthUser, d.writeHealth); err != nil {
				return nil, err
			}
		}
		s.Passwd = f.Bytes()
		return s.Passwd, nil
	})
	if err != nil {
		return err
	}
	s.Health, err = d.read(healthDir, config.OptionsFile)
	if err == nil && s.Health == nil {
		err = fault.Hint(fmt.Errorf("the password file has user %q, but its password, %s/%s, is gone", config.HealthUser, healthDir, config.OptionsFile),
			"run: mosqbuild passwd delete %s; the next command makes a new one", config.HealthUser)
	}
	return err
}

// guard adds the guards' user to the password file of a deployment. A pair
// alone has it: in the password file of the folder it would be there for an
// image and other profiles as well, and so could log in to those.
func (d Dir) guard(s *files.Secrets) error {
	hash, err := d.read(agentDir, passwdFile)
	if err == nil {
		s.Guard, err = d.read(agentDir, config.GuardFile)
	}
	if err != nil {
		return err
	}
	if hash == nil || s.Guard == nil {
		var f passwd.File
		if err := d.generate(&f, config.GuardUser, func(user, password string) error {
			s.Guard = options(user, password)
			return d.write(s.Guard, agentDir, config.GuardFile)
		}); err != nil {
			return err
		}
		hash = f.Bytes()
		if err := d.write(hash, agentDir, passwdFile); err != nil {
			return err
		}
	}
	all, err := passwd.Parse(s.Passwd)
	if err != nil {
		return fmt.Errorf("reading %q: %w", d.Passwd(), err)
	}
	all.Delete(config.GuardUser) // whom people may have, under other profiles
	s.Passwd = all.Bytes()
	if n := len(s.Passwd); n > 0 && s.Passwd[n-1] != '\n' { // somebody's editor has left it so
		s.Passwd = append(s.Passwd, '\n')
	}
	s.Passwd = append(s.Passwd, hash...)
	return nil
}

// generate gives user a new password and hands it to keep before it enters f.
func (d Dir) generate(f *passwd.File, user string, keep func(user, password string) error) error {
	password, err := passwd.GeneratePassword(d.rand())
	if err != nil {
		return err
	}
	hash, err := passwd.Hasher{Rand: d.rand()}.Hash([]byte(password))
	if err != nil {
		return err
	}
	if err := f.Set(user, hash); err != nil {
		return err
	}
	return keep(user, password)
}

// Login returns the password of user that is kept for the clients; nil where none
// is, or another user's, who came first before.
func (d Dir) Login(user string) ([]byte, error) {
	password, err := d.read(passwordFile)
	if err != nil || password == nil {
		return nil, err
	}
	password = bytes.TrimSuffix(password, []byte("\n"))
	client, err := d.read(clientDir, "mosquitto_sub")
	if err != nil || !bytes.Contains(append([]byte("\n"), client...), []byte("\n-u "+user+"\n")) {
		return nil, err
	}
	return password, nil
}

// writeLogin keeps the first user's password for people and for the clients.
func (d Dir) writeLogin(user, password string) error {
	if err := d.write([]byte(password+"\n"), passwordFile); err != nil {
		return err
	}
	for _, client := range []string{"mosquitto_pub", "mosquitto_sub"} {
		if err := d.write(options(user, password), clientDir, client); err != nil {
			return err
		}
	}
	return nil
}

func (d Dir) writeHealth(user, password string) error {
	return d.write(options(user, password), healthDir, config.OptionsFile)
}

// options is a file of Mosquitto's clients: an option and its value a line.
func options(user, password string) []byte {
	return fmt.Appendf(nil, "-u %s\n-P %s\n", user, password)
}

func (d Dir) rand() io.Reader {
	if d.Rand == nil {
		return rand.Reader
	}
	return d.Rand
}
