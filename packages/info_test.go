package packages

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func control(t *testing.T, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := tw.WriteHeader(&tar.Header{Name: files[i], Mode: 0o755, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Flush(); err != nil { // a section has no end mark
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParseControl(t *testing.T) {
	i, err := parseControl(control(t,
		".PKGINFO", "# comment = no\npkgname = a\npkgdesc = b = c; # d\ndepend = x>1 y\ndepend = z\ntriggers = /bin /lib/*\nunknown = 1\nsize = 12\n",
		".post-install", "#!/bin/sh\n", ".melange.yaml", "x", ".trigger", "t"))
	if err != nil {
		t.Fatal(err)
	}
	if i.name != "a" || i.description != "b = c; # d" || i.size != 12 ||
		!slices.Equal(i.depends, []string{"x>1", "y", "z"}) || !slices.Equal(i.triggers, []string{"/bin", "/lib/*"}) {
		t.Errorf("info is %+v", i)
	}
	if len(i.scripts) != 2 || i.scripts[0].name != ".post-install" || string(i.scripts[1].data) != "t" {
		t.Errorf("scripts are %+v", i.scripts)
	}
	for name, section := range map[string][]byte{
		"nothing":             nil,
		"no .PKGINFO":         control(t, ".post-install", "x"),
		"two":                 control(t, ".PKGINFO", "pkgname = a\n", ".PKGINFO", "pkgname = b\n"),
		"not a number":        control(t, ".PKGINFO", "size = many\n"),
		"carriage return":     control(t, ".PKGINFO", "pkgname = a\rP:b\n"),
		"cut inside a header": control(t, ".PKGINFO", "pkgname = a\n")[:100],
	} {
		if _, err := parseControl(section); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestScriptsAndTriggersAreKept(t *testing.T) {
	p := &loaded{Package: Package{Name: "a", Version: "1-r0", Checksum: "Q1sum="}, info: &info{
		scripts: []script{{".trigger", 0o755, []byte("#!/bin/sh\n")}}, triggers: []string{"/bin", "/usr/bin"},
	}}
	l := &layout{nodes: map[string]*node{}}
	if err := l.addDatabase(&Lock{}, "x86_64", []*loaded{p}); err != nil {
		t.Fatal(err)
	}
	if got := contentOf(t, l.nodes[triggersPath].item); got != "Q1sum= /bin /usr/bin\n" {
		t.Errorf("triggers are %q", got)
	}
	tr := tar.NewReader(strings.NewReader(contentOf(t, l.nodes[scriptsPath].item)))
	h, err := tr.Next()
	if err != nil || h.Name != "a-1-r0.Q1sum=.trigger" || h.Mode != 0o755 {
		t.Errorf("script is %+v, %v", h, err)
	}
	if _, err := tr.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the only script: %v", err)
	}
}
