package passwd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mosqbuild/mosqbuild/passwd"
)

var quickly = passwd.Hasher{Iterations: 1}

func TestImport(t *testing.T) {
	in := "# people\n\nbob:one\nalice:two:with colon \r\ncarol: three"
	f := read(t, "# mine\nalice:"+form7+"\n")
	n, err := quickly.Import(t.Context(), strings.NewReader(in), f)
	if n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if got := strings.Join(f.Users(), " "); got != "alice bob carol" {
		t.Errorf("users %s", got)
	}
	for user, password := range map[string]string{"bob": "one", "alice": "two:with colon ", "carol": " three"} {
		if err := f.Verify(user, []byte(password)); err != nil {
			t.Error(err)
		}
	}
	if !strings.HasPrefix(string(f.Bytes()), "# mine\nalice:$7$1$") {
		t.Errorf("the file became %s", f.Bytes())
	}
}

func TestImportKeepsOrder(t *testing.T) {
	var in, want strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&in, "user%d:password%d\n", i, i)
		fmt.Fprintf(&want, "user%d\n", i)
	}
	var files [2]string
	for i, workers := range []int{1, 8} {
		h := passwd.Hasher{Iterations: 2, Workers: workers, Rand: strings.NewReader(strings.Repeat("not at all random ", 3000))}
		f := read(t, "")
		// One byte a read: lines arrive in pieces.
		if n, err := h.Import(t.Context(), iotest.OneByteReader(strings.NewReader(in.String())), f); n != 3000 || err != nil {
			t.Fatal(n, err)
		}
		if got := strings.Join(f.Users(), "\n") + "\n"; got != want.String() {
			t.Error("the order is not the input's")
		}
		files[i] = string(f.Bytes())
	}
	if files[0] != files[1] {
		t.Error("the same randomness gave two files")
	}
}

func TestImportRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want string
		is   error
	}{
		"no colon":   {"a:x\nsecret\n", "line 2: ", nil},
		"no user":    {":secret\n", "line 1: ", passwd.ErrUser},
		"blank user": {"a:x\n\n#\n b:secret\n", "line 4: ", passwd.ErrUser},
		"empty":      {"a:x\nb:\n", "line 2: ", passwd.ErrPassword},
		"hashed":     {"a:x\nb:" + form7 + "\n", "line 2: ", passwd.ErrHashed},
		"bcrypt":     {"b:$2y$04$secret\n", "line 1: ", passwd.ErrHashed},
		"duplicate":  {"a:x\nb:secret\na:secret\n", "line 3: ", passwd.ErrDuplicate},
		"long":       {"a:" + strings.Repeat("secret", 11000) + "\n", "line 1: ", passwd.ErrPassword},
		"endless":    {"a:" + strings.Repeat("secret", 50000), "line 1: ", nil},
		"several":    {"secret\na:x\n:secret", "line 1: it has no colon between user and password\nline 3: ", passwd.ErrUser},
	} {
		f := read(t, "kept:"+form7+"\n")
		n, err := quickly.Import(t.Context(), strings.NewReader(c.in), f)
		if n != 0 || err == nil || !strings.HasPrefix(err.Error(), c.want) || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes a password: %v", name, err)
		}
		if string(f.Bytes()) != "kept:"+form7+"\n" {
			t.Errorf("%s: the file changed", name)
		}
	}
	_, err := quickly.Import(t.Context(), strings.NewReader(strings.Repeat("bad\n", 100)), read(t, ""))
	if n := strings.Count(fmt.Sprint(err), "line "); n != 20 {
		t.Errorf("%d lines are named, want 20", n)
	}
}

func TestImportStops(t *testing.T) {
	f := read(t, "")
	in := io.MultiReader(strings.NewReader("a:x\nb:y\n"), iotest.ErrReader(errTest))
	if _, err := quickly.Import(t.Context(), in, f); !errors.Is(err, errTest) || len(f.Users()) > 0 {
		t.Errorf("reading fails: %v, users %q", err, f.Users())
	}
	noRandom := passwd.Hasher{Rand: iotest.ErrReader(errTest)}
	if _, err := noRandom.Import(t.Context(), strings.NewReader("a:x\n"), f); !errors.Is(err, errTest) || len(f.Users()) > 0 {
		t.Errorf("no randomness: %v, users %q", err, f.Users())
	}
	badCost := passwd.Hasher{Format: passwd.Htpasswd, Cost: 99}
	if _, err := badCost.Import(t.Context(), strings.NewReader(strings.Repeat("a:x\n", 1)), f); err == nil || len(f.Users()) > 0 {
		t.Errorf("hashing fails: %v, users %q", err, f.Users())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := quickly.Import(ctx, strings.NewReader("a:x\n"), f); !errors.Is(err, context.Canceled) || len(f.Users()) > 0 {
		t.Errorf("cancelled: %v, users %q", err, f.Users())
	}
}
