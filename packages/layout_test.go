package packages

import (
	"archive/tar"
	"fmt"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// lay lays packages of the given entries over one another.
func lay(t *testing.T, pkgs ...*loaded) (*layout, error) {
	t.Helper()
	l := &layout{nodes: map[string]*node{}}
	for _, p := range pkgs {
		if err := l.add(p); err != nil {
			return l, err
		}
	}
	return l, nil
}

// pkg makes a package of one entry per header; a file's content is the name of
// the package repeated, or "same" where it is named so.
func pkg(name, origin string, replaces []string, headers ...tar.Header) *loaded {
	p := &loaded{Package: Package{Name: name, Version: "1.5-r0", Origin: origin}, info: &info{replaces: replaces}}
	for _, h := range headers {
		it := item{header: h, sum: "Q1" + name}
		if h.Typeflag == tar.TypeReg {
			content := name
			if strings.HasSuffix(h.Name, "same") {
				content = "same"
			}
			it.data, it.header.Size = strings.NewReader(content), int64(len(content))
		}
		p.items = append(p.items, it)
	}
	return p
}

func file(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644} }

func folder(name string, mode int64, owner int) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, Uid: owner, Gid: owner}
}

func link(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}
}

func TestFilesOfTwoPackages(t *testing.T) {
	priority := func(p *loaded, n int64) *loaded { p.info.replacesPriority = n; return p }
	tests := map[string]struct {
		a, b *loaded
		owns string // the package whose file is there; "" is a conflict
	}{
		"same content":           {pkg("a", "x", nil, file("f-same")), pkg("b", "y", nil, file("f-same")), "a"},
		"another content":        {pkg("a", "x", nil, file("f")), pkg("b", "y", nil, file("f")), ""},
		"another mode":           {pkg("a", "x", nil, file("f-same")), pkg("b", "y", nil, tar.Header{Typeflag: tar.TypeReg, Name: "f-same", Mode: 0o755}), ""},
		"one origin":             {pkg("a", "x", nil, file("f")), pkg("b", "x", nil, file("f")), "b"},
		"later replaces":         {pkg("a", "x", nil, file("f")), pkg("b", "y", []string{"a"}, file("f")), "b"},
		"later replaces this":    {pkg("a", "x", nil, file("f")), pkg("b", "y", []string{"a<2"}, file("f")), "b"},
		"later replaces another": {pkg("a", "x", nil, file("f")), pkg("b", "y", []string{"a<1"}, file("f")), ""},
		"earlier replaces":       {pkg("a", "x", []string{"b"}, file("f")), pkg("b", "y", nil, file("f")), "a"},
		"both replace":           {pkg("a", "x", []string{"b"}, file("f")), priority(pkg("b", "y", []string{"a"}, file("f")), 5), "b"},
		"same link":              {pkg("a", "x", nil, link("f", "t")), pkg("b", "y", nil, link("f", "t")), "a"},
		"another link":           {pkg("a", "x", nil, link("f", "t")), pkg("b", "y", nil, link("f", "u")), ""},
		"link over file":         {pkg("a", "x", nil, file("f")), pkg("b", "y", nil, link("f", "u")), ""},
		"file over folder":       {pkg("a", "x", nil, folder("f", 0o755, 0)), pkg("b", "x", nil, file("f")), ""},
		"folder over file":       {pkg("a", "x", nil, file("f")), pkg("b", "x", nil, folder("f", 0o755, 0)), ""},
		"file below a file":      {pkg("a", "x", nil, file("f")), pkg("b", "x", nil, file("f/g")), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := lay(t, test.a, test.b)
			if test.owns == "" {
				if err == nil || fault.HintOf(err) == "" || !strings.Contains(err.Error(), `"b"`) {
					t.Errorf("error is %v, want one that names b, with a hint", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			n := l.nodes[test.a.paths[0]]
			if n.owner.Name != test.owns || n.sum != "Q1"+test.owns {
				t.Errorf("file is %q's, want %q's", n.owner.Name, test.owns)
			}
		})
	}
}

func TestFoldersMerge(t *testing.T) {
	root, user := folder("d", 0o775, 0), folder("d", 0o700, 100)
	for name, test := range map[string]struct {
		first, second tar.Header
		mode          int64
		uid           int
	}{
		"modes that differ": {root, folder("d", 0o757, 0), 0o755, 0},
		"root comes later":  {user, root, 0o775, 0},
		"root comes first":  {root, user, 0o775, 0},
	} {
		l, err := lay(t, pkg("a", "", nil, file("d/f")), pkg("b", "", nil, test.first), pkg("c", "", nil, test.second))
		if err != nil {
			t.Fatal(err)
		}
		if h := l.nodes["d"].header; h.Mode != test.mode || h.Uid != test.uid {
			t.Errorf("%s: mode %o of %d, want %o of %d", name, h.Mode, h.Uid, test.mode, test.uid)
		}
	}
}

// TestLinksStayInside lays files behind symbolic links of other packages.
func TestLinksStayInside(t *testing.T) {
	for name, test := range map[string]struct{ link, target, want string }{
		"relative":         {"lib", "usr/lib", "usr/lib/f"},
		"absolute":         {"lib", "/usr/lib", "usr/lib/f"},
		"above the root":   {"lib", "../../../etc", "etc/f"},
		"absolute above":   {"lib", "/../../etc", "etc/f"},
		"out of a folder":  {"a/b/lib", "../c", "a/c/f"},
		"to the root":      {"lib", "/", "f"},
		"to its own place": {"lib", ".", "f"},
	} {
		l, err := lay(t, pkg("a", "", nil, link(test.link, test.target)), pkg("b", "", nil, file(test.link+"/f")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if l.nodes[test.want] == nil {
			t.Errorf("%s: nothing at %q", name, test.want)
		}
	}
	for name, links := range map[string][]tar.Header{
		"to itself": {link("lib", "lib")},
		"in a ring": {link("lib", "b"), link("b", "lib")},
		"too long":  {link("lib", strings.Repeat("n/", 2048))},
		"growing":   {link("lib", "b/b/b/b"), link("b", "c/c/c/c"), link("c", "d/d/d/d"), link("d", ".")},
	} {
		if _, err := lay(t, pkg("a", "", nil, links...), pkg("b", "", nil, file("lib/f"))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestFolderThatIsTheRoot by a link changes nothing, as the root's own entry.
func TestFolderThatIsTheRoot(t *testing.T) {
	for name, pkgs := range map[string][]*loaded{
		"of one package":  {pkg("a", "", nil, link("a", "."), folder("a/a", 0o700, 3))},
		"of two packages": {pkg("a", "", nil, link("l", "/")), pkg("b", "", nil, folder("l", 0o700, 3), file("l/f"))},
	} {
		if l, err := lay(t, pkgs...); err != nil || l.nodes["."] != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImpliedFoldersAreBounded(t *testing.T) {
	var folders, files []tar.Header
	for i := range maxImplied + 1 {
		name := fmt.Sprint("d", i)
		folders, files = append(folders, folder(name, 0o755, 0)), append(files, file(name+"/f"))
	}
	if _, err := lay(t, pkg("a", "", nil, files...)); err == nil {
		t.Error("one folder too many: no error")
	}
	if _, err := lay(t, pkg("a", "", nil, folders...), pkg("b", "", nil, files...)); err != nil {
		t.Errorf("folders that a package lists: %v", err)
	}
}

// TestDatabaseOmitsWhatWasReplaced: a file has one owner.
func TestDatabaseOmitsWhatWasReplaced(t *testing.T) {
	a := pkg("a", "x", nil, file("f"), file("g-same"), link("lib", "usr/lib"), file("lib/mine"))
	b := pkg("b", "x", nil, file("f"), file("g-same"), folder("lib/apk", 0o750, 3))
	l, err := lay(t, a, b)
	if err != nil {
		t.Fatal(err)
	}
	lock := &Lock{Arch: "amd64", World: []string{"b"}}
	if err := l.addDatabase(lock, "x86_64", []*loaded{a, b}); err != nil {
		t.Fatal(err)
	}
	n := l.nodes["usr/"+installedPath] // behind the link of package a
	if n == nil {
		t.Fatal("no database at the place that lib leads to")
	}
	got := contentOf(t, n.item)
	for _, want := range []string{
		"F:\nR:g-same\nZ:Q1a\nR:lib\na:0:0:777\nZ:Q1a\nF:lib\nR:mine\nZ:Q1a\n\n",
		"F:\nR:f\nZ:Q1b\nF:lib/apk\nM:3:3:750\n\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("database lacks %q:\n%s", want, got)
		}
	}
}
