package passwd_test

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mosqbuild/mosqbuild/passwd"
)

func TestHash(t *testing.T) {
	for _, password := range []string{"s", "secret", "blank and:colon", "ünïcödé", strings.Repeat("x", 128), strings.Repeat("y", 129), strings.Repeat("z", 65535)} {
		for _, iterations := range []int{1, 2, 101, 0} {
			h, err := passwd.Hasher{Iterations: iterations, Rand: strings.NewReader("twelve bytes")}.Hash([]byte(password))
			if err != nil {
				t.Fatal(err)
			}
			n := max(iterations, 1)
			if iterations == 0 {
				n = 1000
			}
			key, err := pbkdf2.Key(sha512.New, password, []byte("twelve bytes"), n, 64)
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("$7$%d$dHdlbHZlIGJ5dGVz$%s", n, base64.StdEncoding.EncodeToString(key)); string(h) != want {
				t.Errorf("%.10q: %s, want %s", password, h, want)
			}
			if err := h.Verify([]byte(password)); err != nil {
				t.Error(err)
			}
			if err := h.Verify([]byte(password + "x")); !errors.Is(err, passwd.ErrWrong) {
				t.Error(err)
			}
		}
	}
}

func TestHashRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		h        passwd.Hasher
		password string
		want     error
	}{
		"empty":             {passwd.Hasher{}, "", passwd.ErrPassword},
		"long":              {passwd.Hasher{}, strings.Repeat("x", 65536), passwd.ErrPassword},
		"negative":          {passwd.Hasher{Iterations: -1}, "x", passwd.ErrIterations},
		"too many":          {passwd.Hasher{Iterations: passwd.MaxIterations + 1}, "x", passwd.ErrIterations},
		"no randomness":     {passwd.Hasher{Rand: iotest.ErrReader(errTest)}, "x", errTest},
		"bcrypt, 73 bytes":  {passwd.Hasher{Format: passwd.Htpasswd}, strings.Repeat("x", 73), passwd.ErrPassword},
		"bcrypt, empty":     {passwd.Hasher{Format: passwd.Htpasswd}, "", passwd.ErrPassword},
		"little randomness": {passwd.Hasher{Rand: iotest.DataErrReader(strings.NewReader("short"))}, "x", nil},
	} {
		h, err := c.h.Hash([]byte(c.password))
		if err == nil || h != "" || (c.want != nil && !errors.Is(err, c.want)) {
			t.Errorf("%s: %q, %v", name, h, err)
		}
	}
}

var errTest = errors.New("test")

func TestVerify(t *testing.T) {
	sum := sha512.Sum512([]byte("secret" + "twelve bytes"))
	old := "$6$dHdlbHZlIGJ5dGVz$" + base64.StdEncoding.EncodeToString(sum[:])
	web, err := passwd.Hasher{Format: passwd.Htpasswd, Cost: 4}.Hash([]byte("secret"))
	if err != nil || !strings.HasPrefix(string(web), "$2y$04$") {
		t.Fatal(web, err)
	}
	f := read(t, "old:"+old+"\nweb:"+string(web)+"\nbroken:$7$x\nargon:$argon2id$v=19$m=47104,t=1,p=1$AAAA$AAAA\n")
	for _, c := range []struct {
		user, password string
		want           error
	}{
		{"old", "secret", nil}, {"old", "Secret", passwd.ErrWrong}, {"old", "", passwd.ErrWrong},
		{"web", "secret", nil}, {"web", "Secret", passwd.ErrWrong},
		{"broken", "secret", passwd.ErrHash}, {"argon", "secret", passwd.ErrHash}, {"nobody", "secret", passwd.ErrNoUser},
	} {
		if err := f.Verify(c.user, []byte(c.password)); !errors.Is(err, c.want) {
			t.Errorf("%s, %q: %v, want %v", c.user, c.password, err, c.want)
		}
	}
}

func TestGeneratePassword(t *testing.T) {
	random := make([]byte, 256)
	for i := range random {
		random[i] = byte(i)
	}
	counts := map[rune]int{}
	in := bytes.NewReader(bytes.Repeat(random, 3)) // each byte as often: each character must be, too
	for range 21 {                                 // 504 of the 672 usable bytes
		p, err := passwd.GeneratePassword(in)
		if err != nil {
			t.Fatal(err)
		}
		if len(p) != 24 || strings.ContainsAny(p, "0O1lI-#$ ") {
			t.Errorf("generated %q", p)
		}
		for _, r := range p {
			counts[r]++
		}
	}
	if len(counts) != 56 {
		t.Errorf("%d different characters, want 56", len(counts))
	}
	for r, n := range counts {
		if n != 9 {
			t.Errorf("%q occurs %d times, want 9", r, n)
		}
	}
	if _, err := passwd.GeneratePassword(iotest.ErrReader(errTest)); !errors.Is(err, errTest) {
		t.Error(err)
	}
}

// FuzzHash: no hash makes Verify panic or take forever, and what Set takes
// reads back.
func FuzzHash(f *testing.F) {
	f.Add(form7)
	f.Add(form6)
	f.Add("$2y$04$abcdefghijklmnopqrstuuDf4RvbeXUShJHUMzzDzqVHo4yrHFNMK")
	f.Add("$7$1$A$B")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.HasPrefix(s, "$2") || len(strings.TrimPrefix(s, "$7$")) > 0 && strings.IndexByte(strings.TrimPrefix(s, "$7$"), '$') > 4 {
			t.Skip("a hash that takes long by design")
		}
		if err := passwd.Hash(s).Verify([]byte("x")); err == nil {
			t.Fatalf("%q is no hash of x", s)
		}
		var file passwd.File
		if file.Set("a", passwd.Hash(s)) == nil {
			if h, _ := read(t, string(file.Bytes())).Hash("a"); string(h) != s {
				t.Fatalf("%q came back as %q", s, h)
			}
		}
	})
}

func BenchmarkHash(b *testing.B) {
	for b.Loop() {
		if _, err := (passwd.Hasher{}).Hash([]byte("password-1-abcdefgh")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStandard is the same key by the standard library.
func BenchmarkStandard(b *testing.B) {
	salt := make([]byte, 12)
	for b.Loop() {
		if _, err := pbkdf2.Key(sha512.New, "password-1-abcdefgh", salt, 1000, 64); err != nil {
			b.Fatal(err)
		}
	}
}
