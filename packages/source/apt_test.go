package source

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

const targetsOut = `DEP-11	Debian	http://mirror.example/debian/	bookworm	main
Packages	Debian	http://mirror.example/debian-security/	bookworm-security	main
Packages	Debian	http://mirror.example/debian/	bookworm-updates	main
Packages	Other	https://other.example/apt/	nodistro	main
Packages	Debian	http://mirror.example/debian/	bookworm	main
`

func TestSourcesLists(t *testing.T) {
	keyringless := func(s string) string {
		for _, k := range keyrings {
			s = strings.ReplaceAll(s, "[signed-by="+k+"] ", "")
		}
		return s
	}
	const sid = "deb-src http://mirror.example/debian/ sid main\n"
	for name, c := range map[string]struct {
		targets string
		want    mirrors
	}{
		"with security": {targetsOut, mirrors{"deb-src http://mirror.example/debian/ trixie main\ndeb-src http://mirror.example/debian-security/ trixie-security main\n", sid}},
		"nothing downloaded yet": {
			"Packages\t$(ORIGIN)\thttp://mirror.example/debian/\ttrixie\tmain\n",
			mirrors{"deb-src http://mirror.example/debian/ trixie main\n", sid},
		},
		"mirror list": {
			"Packages\tDebian\tmirror+file:/etc/apt/mirrors/debian.list\ttrixie\tmain\n",
			mirrors{"deb-src mirror+file:/etc/apt/mirrors/debian.list trixie main\n", "deb-src mirror+file:/etc/apt/mirrors/debian.list sid main\n"},
		},
	} {
		got, err := sourcesLists(parseTargets(c.targets))
		if got = (mirrors{keyringless(got.suite), keyringless(got.spare)}); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
	_, err := sourcesLists(parseTargets("Packages\tUbuntu\thttp://u.example/ubuntu/\tnoble\tmain\n"))
	if err == nil || fault.HintOf(err) == "" {
		t.Errorf("another distribution's mirror: error %v, hint %q", err, fault.HintOf(err))
	}
}

// A mirror moves on whenever it likes, between two looks at it too.
func TestUpTo(t *testing.T) {
	versions := []string{"3", "2", "1"}
	for announced, want := range map[string]string{"": "3 2 1", "2": "2 1", "1": "1"} {
		if got, err := upTo(versions, announced); err != nil || strings.Join(got, " ") != want {
			t.Errorf("up to %q: %q, %v", announced, got, err)
		}
	}
	if got, err := upTo(versions, "2.1"); got != nil || fault.CodeOf(err) != fault.Unreachable || fault.HintOf(err) == "" {
		t.Errorf("up to one that is gone: %q, %v", got, err)
	}
}

// sum is a SHA-256.
var sum = strings.Repeat("0a", 32)

func urisOut() string {
	return "'http://m/cjson_1.7-1%2bx.dsc' cjson_1.7-1+x.dsc 1974 SHA256:" + sum + "\n" +
		"'http://m/musl_1.2.5.orig.tar.gz' musl_1.2.5.orig.tar.gz 7 SHA256:" + sum + "\n" +
		"'http://m/musl_1.2.5-3.dsc' musl_1.2.5-3.dsc 8 SHA256:" + sum + "\n"
}

func TestParseURIs(t *testing.T) {
	got, err := parseURIs("NOTICE: words\n"+urisOut(), []string{"musl", "cjson"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Version != "1.2.5-3" || got[1].Version != "1.7-1+x" || got[0].dsc() != "musl_1.2.5-3.dsc" || len(got[0].Files) != 2 {
		t.Errorf("read %+v", got)
	}
	if f := got[0].Files[0]; f != (SourceFile{"musl_1.2.5.orig.tar.gz", 7, sum}) {
		t.Errorf("read %+v", f)
	}
}

func TestParseURIsRefuses(t *testing.T) {
	for name, out := range map[string]string{
		"a missing package": strings.Split(urisOut(), "\n")[0],
		"a weak checksum":   "'http://m/musl_1.dsc' musl_1.dsc 8 MD5Sum:0123456789abcdef0123456789abcdef\n",
		"no checksum":       "'http://m/musl_1.dsc' musl_1.dsc 8\n",
		"another package":   "'http://m/evil_1.dsc' evil_1.dsc 8 SHA256:" + sum + "\n",
		"a path":            "'http://m/x' musl_/../../x 8 SHA256:" + sum + "\n",
		"a negative size":   "'http://m/musl_1.dsc' musl_1.dsc -8 SHA256:" + sum + "\n",
	} {
		if got, err := parseURIs(out, []string{"cjson", "musl"}); err == nil {
			t.Errorf("%s: read %+v", name, got)
		}
	}
}

func FuzzParseURIs(f *testing.F) {
	f.Add(urisOut())
	f.Add("'u' musl_1.dsc 1 SHA256:00")
	f.Add(targetsOut)
	f.Fuzz(func(t *testing.T, out string) {
		parseTargets(out)
		got, err := parseURIs(out, []string{"musl", "cjson"})
		if err != nil {
			return
		}
		for _, s := range got {
			if s.dsc() == "" || s.Version == "" {
				t.Errorf("package without a description: %+v", s)
			}
			if slices.ContainsFunc(s.Files, func(f SourceFile) bool { return filepath.Base(f.Name) != f.Name || f.Size < 0 }) {
				t.Errorf("bad file in %+v", s)
			}
		}
	})
}
