package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mosqbuild/mosqbuild/passwd"
)

const importedUsers = 2000

// plainUsers is a file of users with their passwords in the clear.
func plainUsers() []byte {
	var b bytes.Buffer
	for i := range importedUsers {
		fmt.Fprintf(&b, "user%d:password-%d-abcdefgh\n", i, i)
	}
	return b.Bytes()
}

// importAt101 compares at the iterations that mosquitto_passwd 2.0 is compiled
// for; it has no option for another number.
func importAt101(ctx context.Context, w *workspace) (result, error) {
	peer, err := program("mosquitto_passwd")
	if err != nil {
		return result{}, err
	}
	return w.race(ctx, w.pairs, w.ourImport(101), w.mosquittoPasswd(peer, ""))
}

// importAt1000 compares at our default of 1,000 iterations. mosquitto_passwd
// 2.0 does that many once a preloaded library changes the argument of its call
// to OpenSSL; that the work was really done is checked before anything is
// timed.
func importAt1000(ctx context.Context, w *workspace) (result, error) {
	peer, err := program("mosquitto_passwd")
	if err != nil {
		return result{}, err
	}
	library, err := w.moreIterations(ctx)
	if err != nil {
		return result{}, err
	}
	theirs := w.mosquittoPasswd(peer, library)
	if _, err := theirs(ctx); err != nil {
		return result{}, err
	}
	if err := w.verifyThousand(); err != nil {
		return result{}, err
	}
	r, err := w.race(ctx, w.pairs, w.ourImport(1000), theirs)
	r.note = "mosquitto_passwd 2.0 has 101 iterations built in; a preloaded library makes its call to OpenSSL one of 1,000, in one thread as ever"
	return r, err
}

// ourImport is "mosqbuild passwd import" into a file that isn't there yet.
func (w *workspace) ourImport(iterations int) contender {
	return func(ctx context.Context) (sample, error) {
		dir, err := w.folder("import-ours")
		if err != nil {
			return sample{}, err
		}
		c := exec.CommandContext(ctx, w.program, "passwd", "import", "--file", "passwd", "--iterations", fmt.Sprint(iterations))
		c.Dir, c.Stdin = dir, bytes.NewReader(plainUsers())
		return timed(c)
	}
}

func (w *workspace) theirPasswd() string { return filepath.Join(w.dir, "import-theirs", "passwd") }

// mosquittoPasswd is "mosquitto_passwd -U" of a file with the same users.
func (w *workspace) mosquittoPasswd(tool, preload string) contender {
	return func(ctx context.Context) (sample, error) {
		if _, err := w.folder("import-theirs"); err != nil {
			return sample{}, err
		}
		if err := os.WriteFile(w.theirPasswd(), plainUsers(), 0o600); err != nil {
			return sample{}, err
		}
		c := exec.CommandContext(ctx, tool, "-U", w.theirPasswd())
		if preload != "" {
			c.Env = append(os.Environ(), "LD_PRELOAD="+preload)
		}
		return timed(c)
	}
}

// moreIterationsSource stands before OpenSSL's function of that name.
const moreIterationsSource = `#define _GNU_SOURCE
#include <dlfcn.h>

typedef int derive(const char *, int, const unsigned char *, int, int, const void *, int, unsigned char *);

int PKCS5_PBKDF2_HMAC(const char *pass, int passlen, const unsigned char *salt, int saltlen, int iter,
		      const void *digest, int keylen, unsigned char *out)
{
	derive *real = (derive *)dlsym(RTLD_NEXT, "PKCS5_PBKDF2_HMAC");
	(void)iter;
	return real ? real(pass, passlen, salt, saltlen, 1000, digest, keylen, out) : 0;
}
`

// moreIterations compiles the library to preload.
func (w *workspace) moreIterations(ctx context.Context) (library string, err error) {
	compiler, err := program("gcc")
	if err != nil {
		return "", err
	}
	library = filepath.Join(w.dir, "iterations.so")
	c := exec.CommandContext(ctx, compiler, "-shared", "-fPIC", "-O2", "-x", "c", "-o", library, "-", "-ldl")
	c.Stdin = strings.NewReader(moreIterationsSource)
	_, err = output(c)
	return library, err
}

// verifyThousand checks that the peer's hashes, which still say 101, are of
// 1,000 iterations.
func (w *workspace) verifyThousand() error {
	data, err := os.ReadFile(w.theirPasswd())
	if err != nil {
		return err
	}
	f, err := passwd.Parse(bytes.ReplaceAll(data, []byte("$7$101$"), []byte("$7$1000$")))
	if err != nil {
		return err
	}
	const last = importedUsers - 1
	if n := len(f.Users()); n != importedUsers {
		return fmt.Errorf("mosquitto_passwd left %d users of %d", n, importedUsers)
	}
	err = f.Verify(fmt.Sprintf("user%d", last), fmt.Appendf(nil, "password-%d-abcdefgh", last))
	if errors.Is(err, passwd.ErrWrong) {
		return errors.New("the preloaded library did not change mosquitto_passwd's iterations")
	}
	return err
}
