package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/packages/repo"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// tree writes files below a folder of its own and returns that.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var twoPackages = []entry{
	{name: "libone", step: "one", files: []string{"usr/lib/lib*"}, license: "MIT", depends: []string{"more"}},
	{name: "one", step: "one", files: []string{"usr/*/*"}, license: "MIT"},
}

func TestAssembleSplitsASteps(t *testing.T) {
	dir := tree(t, map[string]string{"root/usr/bin/one": "#!", "root/usr/lib/libone.txt": "x", "licenses/COPYING": "text"})
	if err := os.Symlink("libone.txt", filepath.Join(dir, "root/usr/lib/liblink")); err != nil {
		t.Fatal(err)
	}
	pkgs, err := assemble(twoPackages, map[string]string{"one": dir}, map[string]string{"one": "1.0-r0"})
	if err != nil {
		t.Fatal(err)
	}
	paths := func(p repo.Package) string {
		var list []string
		for _, f := range p.Files {
			list = append(list, f.Path+">"+f.Link)
		}
		return strings.Join(list, " ")
	}
	if got := paths(pkgs[0]); got != "usr/lib/liblink>libone.txt usr/lib/libone.txt> usr/share/licenses/libone/COPYING>" {
		t.Errorf("libone: %s", got)
	}
	if got := paths(pkgs[1]); got != "usr/bin/one> usr/share/licenses/one/COPYING>" {
		t.Errorf("one: %s", got)
	}
	if p := pkgs[1]; p.Version != "1.0-r0" || p.Origin != "one" || !slices.Equal(p.Provides, []string{"cmd:one=1.0-r0"}) {
		t.Errorf("one: %+v", p)
	}
	if p := pkgs[0]; !slices.Equal(p.Depends, []string{"more"}) {
		t.Errorf("libone: %+v", p)
	}
}

func TestAssembleRefusesALeftover(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a file in no package":   {"root/usr/bin/one": "", "root/usr/lib/libone": "", "root/opt/stray": "", "licenses/C": ""},
		"a package with no file": {"root/usr/bin/one": "", "licenses/C": ""},
		"no licence texts":       {"root/usr/bin/one": "", "root/usr/lib/libone": ""},
	} {
		if pkgs, err := assemble(twoPackages, map[string]string{"one": tree(t, files)}, map[string]string{"one": "1-r0"}); err == nil {
			t.Errorf("%s: made %+v", name, pkgs)
		}
	}
}

func TestLinkReadsLibraries(t *testing.T) {
	if lookup("gcc") == "" {
		need.Unmet(t, "there is no gcc on this machine to make a library with")
	}
	dir := t.TempDir()
	for _, args := range [][]string{
		{"-o", "libone.so.1.7", "-Wl,-soname,libone.so.1"},
		{"-o", "libtwo.so.3", "-Wl,-soname,libtwo.so.3", "-Wl,--no-as-needed", "libone.so.1.7"},
	} {
		c := exec.Command(lookup("gcc"), append([]string{"-shared", "-nostdlib", "-xc", "/dev/null", "-xnone"}, args...)...)
		c.Dir = dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	p := repo.Package{Version: "1-r0"}
	for _, name := range []string{"libone.so.1.7", "libtwo.so.3"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		p.Files = append(p.Files, repo.File{Path: "usr/lib/" + name, Mode: 0o755, Data: data})
	}
	two := repo.Package{Version: "1-r0", Files: p.Files[1:]}
	for _, q := range []*repo.Package{&p, &two} {
		if err := link(q); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(p.Provides, []string{"so:libone.so.1=1.7", "so:libtwo.so.3=3"}) || len(p.Depends) != 0 {
		t.Errorf("both: provides %q, depends %q", p.Provides, p.Depends)
	}
	if !slices.Equal(two.Provides, []string{"so:libtwo.so.3=3"}) || !slices.Equal(two.Depends, []string{"so:libone.so.1"}) {
		t.Errorf("one: provides %q, depends %q", two.Provides, two.Depends)
	}
}

func TestSoVersion(t *testing.T) {
	for _, c := range []struct{ soname, file, want string }{
		{"libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1", "1"},
		{"libcrypto.so.3", "libcrypto.so.3", "3"},
		{"libcjson.so.1", "libcjson.so.1.7.18", "1.7.18"},
	} {
		if got := soVersion(c.soname, c.file); got != c.want {
			t.Errorf("soVersion(%q, %q) = %q, want %q", c.soname, c.file, got, c.want)
		}
	}
}

func TestBasePackage(t *testing.T) {
	p := base()
	for _, f := range p.Files {
		if f.Path != "usr/lib/os-release" {
			continue
		}
		for _, line := range []string{"ID=mosqbuild\n", "ID_LIKE=alpine\n"} {
			if !strings.Contains(string(f.Data), line) {
				t.Errorf("os-release lacks %q:\n%s", line, f.Data)
			}
		}
	}
	ours, err := os.ReadFile("../../LICENSE")
	if err != nil || string(ours) != string(apache) {
		t.Errorf("base/LICENSE is not the project's: %v", err)
	}
}
