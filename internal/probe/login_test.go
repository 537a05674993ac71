package probe_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/probe"
)

func TestParseLogin(t *testing.T) {
	for _, c := range []struct{ file, user, password string }{
		{"-u health\n-P secret\n", "health", "secret"},
		{"-P secret\r\n\n-u health", "health", "secret"},
		{"-u a b\n-P  two blanks \n", "a b", " two blanks "},
	} {
		user, password, err := probe.ParseLogin([]byte(c.file))
		if err != nil || user != c.user || string(password) != c.password {
			t.Errorf("%q: %q, %q, %v", c.file, user, password, err)
		}
	}
	for _, file := range []string{"", "-u x\n", "-P y\n", "-u x\n-P y\n-u z\n", "-u x\n-P y\n-P z\n", "-u x\n-P secret\n-h host\n", "-u\n-P y\n", "-u \n-P y\n", "-ux\n-P y\n", "secret"} {
		_, _, err := probe.ParseLogin([]byte(file))
		if !errors.Is(err, probe.ErrLogin) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// FuzzParseLogin: what is read, written as package state does, reads the same.
func FuzzParseLogin(f *testing.F) {
	for _, seed := range []string{"-u health\n-P secret\n", "-P s\r\n-u h", "-u x\n", "", "-u  \n-P  \n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		user, password, err := probe.ParseLogin(data)
		if err != nil {
			return
		}
		again, againPassword, err := probe.ParseLogin(fmt.Appendf(nil, "-u %s\n-P %s\n", user, password))
		if err != nil || again != user || string(againPassword) != string(password) {
			t.Errorf("%q, %q became %q, %q: %v", user, password, again, againPassword, err)
		}
	})
}
