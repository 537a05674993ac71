package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/passwd"
)

var quickHasher = passwd.Hasher{Iterations: 1}

func TestSetLoginKeepsStep(t *testing.T) {
	d := Dir{Path: filepath.Join(t.TempDir(), "state")}
	for user, files := range map[string][]string{
		"admin":           {"client/mosquitto_pub", "client/mosquitto_sub"},
		config.HealthUser: {"health/mosquitto_sub"},
		"other":           nil,
	} {
		if err := d.SetLogin("admin", user, []byte("pass word"), quickHasher); err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			got, err := os.ReadFile(filepath.Join(d.Path, name))
			if want := "-u " + user + "\n-P pass word\n"; err != nil || string(got) != want {
				t.Errorf("%s: %q, %v, want %q", name, got, err, want)
			}
		}
		data, err := os.ReadFile(d.Passwd())
		if err != nil {
			t.Fatal(err)
		}
		f, err := passwd.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Verify(user, []byte("pass word")); err != nil {
			t.Error(err)
		}
		if had, err := d.DeleteLogin("admin", user); !had || err != nil {
			t.Errorf("deleting %s: %v, %v", user, had, err)
		}
		for _, name := range append(files, "password") {
			if _, err := os.Stat(filepath.Join(d.Path, name)); err == nil {
				t.Errorf("%s is still there", name)
			}
		}
	}
	if had, err := d.DeleteLogin("admin", "admin"); had || err != nil {
		t.Errorf("deleting nobody: %v, %v", had, err)
	}
}

// TestSetLoginRefuses what an option file can't hold, and then changes nothing.
func TestSetLoginRefuses(t *testing.T) {
	d := Dir{Path: filepath.Join(t.TempDir(), "state")}
	for _, password := range []string{"", "two\nlines", strings.Repeat("x", 1001)} {
		if err := d.SetLogin("admin", "admin", []byte(password), quickHasher); !errors.Is(err, passwd.ErrPassword) {
			t.Errorf("%.20q: %v", password, err)
		}
	}
	if _, err := os.Stat(d.Path); err == nil {
		t.Error("something was written")
	}
	if err := d.SetLogin("admin", "other", []byte(strings.Repeat("x", 1001)), quickHasher); err != nil {
		t.Errorf("another user: %v", err)
	}
}

func TestEditsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	hash, err := quickHasher.Hash([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := EditFile(path, func(f *passwd.File) error { return f.Set(fmt.Sprint("user", i), hash) }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := passwd.Parse(data)
	if err != nil || len(f.Users()) != 20 {
		t.Errorf("%d users, want 20: %v", len(f.Users()), err)
	}
}
