package passwd_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/passwd"
)

// Hashes of nothing, for where only the form matters.
const (
	hash7 = "$7$101$JAIM5Ljp+KBEwFqU$"
	zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
	form7 = hash7 + zeros
	form6 = "$6$JAIM5Ljp+KBEwFqU$" + zeros
)

func read(t testing.TB, s string) *passwd.File {
	t.Helper()
	f, err := passwd.Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParseAsTheBroker(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                nil,
		"a:x\nb:y":                        {"a", "b"},
		"#a:x\n#\n\nb:y\n":                {"b"},
		" #a:x":                           {"#a"},
		"no colon\na:x":                   {"a"},
		"\t a \t: x \r\n":                 {"a"},
		"a:x:ignored":                     {"a"},
		":a:x":                            {"a"},
		"a::x":                            {"a"},
		"a:x\na:y\nb:z":                   {"a", "b"},
		" :x":                             nil,
		"a\x00:x":                         nil,
		"ünïcödé:x\nwith blank:y":         {"ünïcödé", "with blank"},
		"a:\nb:x\na:y":                    {"b", "a"},
		strings.Repeat("x", 70000) + ":y": {strings.Repeat("x", 70000)},
	} {
		if got := read(t, in).Users(); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%.40q: users %.40q, want %.40q", in, got, want)
		}
	}
	if h, ok := read(t, "a:: x :y\na:z").Hash("a"); h != "x" || !ok {
		t.Errorf("hash %q, %v", h, ok)
	}
}

func TestEdit(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		edit func(*passwd.File) error
		want string
	}{
		"append":      {"# kept\na:x\n", set("b"), "# kept\na:x\nb:" + form7 + "\n"},
		"empty":       {"", set("b"), "b:" + form7 + "\n"},
		"no line end": {"a:x", set("b"), "a:x\nb:" + form7 + "\n"},
		"in place":    {"# 1\na:x\n\n# 2\nb:y", set("a"), "# 1\na:" + form7 + "\n\n# 2\nb:y"},
		"last":        {"a:x\nb:y", set("b"), "a:x\nb:" + form7},
		"DOS":         {"a:x\r\nb:y\r\n", set("a"), "a:" + form7 + "\r\nb:y\r\n"},
		"duplicates":  {"a:x\n#\na:y\nb:z\n a :w", set("a"), "a:" + form7 + "\n#\nb:z\n"},
		"delete":      {"a:x\n# about b\nb:y\na:z\n", del("a", true), "# about b\nb:y\n"},
		"delete none": {"a:x\n", del("b", false), "a:x\n"},
		"set, delete": {"a:x\n", func(f *passwd.File) error {
			return errors.Join(set("b")(f), del("a", true)(f), set("c")(f), del("b", true)(f))
		}, "c:" + form7 + "\n"},
	} {
		f := read(t, c.in)
		if err := c.edit(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := string(f.Bytes()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if again := read(t, string(f.Bytes())); !slices.Equal(again.Users(), f.Users()) {
			t.Errorf("%s: users %q, after reading %q", name, f.Users(), again.Users())
		}
	}
	var zero passwd.File
	if err := zero.Set("a", form7); err != nil || string(zero.Bytes()) != "a:"+form7+"\n" {
		t.Errorf("zero value: %q, %v", zero.Bytes(), err)
	}
}

func set(user string) func(*passwd.File) error {
	return func(f *passwd.File) error { return f.Set(user, form7) }
}

func del(user string, had bool) func(*passwd.File) error {
	return func(f *passwd.File) error {
		if f.Delete(user) != had {
			return errors.New("Delete returned the opposite")
		}
		return nil
	}
}

func TestSetRefuses(t *testing.T) {
	for _, user := range []string{"", "a:b", "a\nb", "a\x7fb", "a\u0085b", "#a", " a", "a ", "a\xff", strings.Repeat("x", 65536)} {
		f := read(t, "a:x\n")
		if err := f.Set(user, form7); !errors.Is(err, passwd.ErrUser) || string(f.Bytes()) != "a:x\n" {
			t.Errorf("%.40q: %v", user, err)
		}
	}
	for _, hash := range []passwd.Hash{"", "secret", form7 + "\n", form7 + ":", "$7$0$AAAA$" + zeros, "$7$101$AAAA$AAAA", "$7$99999999999$AAAA$" + zeros, "$7$101$$" + zeros, "$2y$05$short", "$9$a$b"} {
		if err := read(t, "").Set("a", hash); !errors.Is(err, passwd.ErrHash) {
			t.Errorf("%q: %v", hash, err)
		}
	}
}

func TestProblems(t *testing.T) {
	in := strings.Join([]string{
		"# comment", "", "good:" + form7, "good6:" + form6,
		"no colon", "good:" + form7, " :x", "plain:secret",
		"long:$7$101$" + strings.Repeat("A", 84) + "AA==$" + zeros,
		"slow:$7$210000$JAIM5Ljp+KBEwFqU$" + zeros,
		"b:$2y$05$abcdefghijklmnopqrstuuDf4RvbeXUShJHUMzzDzqVHo4yrHFNMK", "#x:y", " #x:" + form7,
	}, "\n")
	var lines []int
	for _, err := range read(t, in).Problems() {
		var e *passwd.LineError
		if !errors.As(err, &e) {
			t.Fatalf("%v is no *LineError", err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("quotes a password: %v", err)
		}
		lines = append(lines, e.Line)
	}
	if want := []int{5, 6, 7, 8, 9, 10, 11, 13}; !slices.Equal(lines, want) {
		t.Errorf("problems on lines %v, want %v", lines, want)
	}
}

func TestFormat(t *testing.T) {
	const bcrypt = "a:$2y$05$abcdefghijklmnopqrstuuDf4RvbeXUShJHUMzzDzqVHo4yrHFNMK\n"
	for in, want := range map[string]struct {
		format   passwd.Format
		problems int
	}{
		"":                        {passwd.Mosquitto, 0},
		"a:" + form7 + "\n":       {passwd.Mosquitto, 0},
		bcrypt:                    {passwd.Htpasswd, 0},
		bcrypt + "b:{SHA}x":       {passwd.Htpasswd, 1},
		bcrypt + "b:" + form6:     {passwd.Mosquitto, 1},
		"a:secret\n#b:$2y$05$x\n": {passwd.Mosquitto, 1},
	} {
		f := read(t, in)
		if f.Format() != want.format || len(f.Problems()) != want.problems {
			t.Errorf("%q: %s, problems %v", in, f.Format(), f.Problems())
		}
	}
}

// FuzzParse: an untouched file comes back to the byte, and an edit changes one
// user and nothing else.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "a:x", "# c\na:" + form7 + "\r\nb:" + form6 + "\n", "a:1\na:2\n:a:3\na::4", " \x00:\n::\n#\n", "é:x\n\xff:y", "a:\na:x",
	} {
		f.Add([]byte(s), "a")
	}
	f.Fuzz(func(t *testing.T, data []byte, user string) {
		file, err := passwd.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(file.Bytes(), data) {
			t.Fatalf("%q came back as %q", data, file.Bytes())
		}
		file.Problems()
		others := slices.DeleteFunc(file.Users(), func(u string) bool { return u == user })
		if err := file.Set(user, form7); err != nil {
			return
		}
		after := read(t, string(file.Bytes()))
		if h, ok := after.Hash(user); !ok || h != form7 {
			t.Fatalf("%q: after Set %q has %q", data, user, h)
		}
		if got := slices.DeleteFunc(after.Users(), func(u string) bool { return u == user }); !slices.Equal(got, others) {
			t.Fatalf("%q: the other users were %q and are %q", data, others, got)
		}
		if !after.Delete(user) || slices.Contains(read(t, string(after.Bytes())).Users(), user) {
			t.Fatalf("%q: %q is still there", data, user)
		}
	})
}
