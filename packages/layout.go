package packages

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"strings"
	"time"

	"chainguard.dev/apko/pkg/apk/apk"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// loaded is a verified and unpacked package.
type loaded struct {
	Package
	info  *info
	items []item
	paths []string // where the layout put each item
}

// node is a place in the layout.
type node struct {
	item
	owner    *loaded // nil for what we made
	declared bool    // of a folder: a package lists it
}

// layout puts packages over one another as apk does, by path without slashes at
// its ends.
type layout struct {
	nodes   map[string]*node
	implied int // how many folders no package lists
}

// maxImplied is generous: packages list their folders, and one path of theirs
// may imply two thousand.
const maxImplied = 10_000

// add lays out one package over those before it.
func (l *layout) add(p *loaded) error {
	p.paths = make([]string, len(p.items))
	for i, it := range p.items {
		var err error
		if it.header.Typeflag == tar.TypeDir {
			p.paths[i], err = l.addFolder(p, it)
		} else {
			p.paths[i], err = l.addFile(p, it)
		}
		if err != nil {
			return fault.Hint(fmt.Errorf("laying out package %q: entry %q: %w", p.Name, it.header.Name, err),
				"these packages can't be installed together: leave one out")
		}
	}
	return nil
}

func (l *layout) addFolder(p *loaded, it item) (string, error) {
	at, err := l.folder(it.header.Name)
	if err != nil {
		return "", err
	}
	if at == "." { // the root is nobody's, as where it is listed by its name
		return at, nil
	}
	n := l.nodes[at]
	if !n.declared {
		l.implied--
	}
	had := n.header
	switch have := &n.header; {
	case !n.declared, it.header.Uid < had.Uid, it.header.Uid == had.Uid && it.header.Gid < had.Gid:
		have.Mode, have.Uid, have.Gid = it.header.Mode, it.header.Uid, it.header.Gid
	case it.header.Uid == had.Uid && it.header.Gid == had.Gid:
		have.Mode &= it.header.Mode // as apk_db_dir_apply_diri_permissions
	}
	if !n.declared || it.header.ModTime.After(had.ModTime) {
		n.header.ModTime = it.header.ModTime
	}
	if len(it.header.PAXRecords) > 0 {
		n.header.PAXRecords = it.header.PAXRecords
	}
	n.declared, n.owner = true, p
	return at, nil
}

func (l *layout) addFile(p *loaded, it item) (string, error) {
	at, err := l.place(it.header.Name)
	if err != nil {
		return "", err
	}
	if have := l.nodes[at]; have != nil {
		if have.header.Typeflag == tar.TypeDir {
			return "", errors.New("is a folder in the packages before it")
		}
		old, ours := have.owner.rank(p), p.rank(have.owner)
		switch {
		case have.sameAs(it):
			return at, nil // the first one's it stays
		case p.Origin != "" && p.Origin == have.owner.Origin:
		case old >= 0 && old >= ours:
			return at, nil
		case ours < 0:
			return "", fmt.Errorf("package %q has another file there, and neither replaces the other", have.owner.Name)
		}
	}
	l.nodes[at] = &node{item: it, owner: p}
	return at, nil
}

// sameAs reports whether two files or links agree in all that counts.
func (n *node) sameAs(it item) bool {
	a, b := n.header, it.header
	return a.Typeflag == b.Typeflag && a.Linkname == b.Linkname && a.Mode == b.Mode && a.Uid == b.Uid && a.Gid == b.Gid &&
		maps.Equal(a.PAXRecords, b.PAXRecords) && a.Size == b.Size && sameContent(n.data, it.data, a.Size)
}

// sameContent compares what two files of that size hold.
func sameContent(a, b io.ReaderAt, size int64) bool {
	x, y := make([]byte, 32<<10), make([]byte, 32<<10)
	for at := int64(0); at < size; at += int64(len(x)) {
		n := min(int64(len(x)), size-at)
		x, y = x[:n], y[:n]
		got, _ := a.ReadAt(x, at) // fewer bytes are an error
		same, _ := b.ReadAt(y, at)
		if got < len(x) || same < len(y) || !bytes.Equal(x, y) {
			return false
		}
	}
	return true
}

// rank returns the priority with which p replaces files of other, -1 where it
// may not.
func (p *loaded) rank(other *loaded) int64 {
	version, err := apk.ParseVersion(other.Version)
	if err != nil {
		return -1
	}
	for _, r := range p.info.replaces {
		c := apk.ResolvePackageNameVersionPin(r)
		if ok, err := c.SatisfiedBy(version); c.Name == other.Name && err == nil && ok {
			return max(p.info.replacesPriority, 0)
		}
	}
	return -1
}

// maxLinks is the kernel's limit for symbolic links on the way to one file.
const maxLinks = 40

// folder returns where the folder of that name is once symbolic links in the
// layout are followed, none of which leads out of it, and makes what is missing.
func (l *layout) folder(name string) (string, error) {
	at := "."
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == "" || part == "." || part == ".." {
			if part == ".." {
				at = path.Dir(at) // which is "." at the top
			}
			continue
		}
		next := path.Join(at, part)
		n := l.nodes[next]
		switch {
		case len(next) > maxPath:
			return "", errTooLong
		case n == nil && l.implied == maxImplied:
			return "", fmt.Errorf("more than %d folders that no package lists", maxImplied)
		case n == nil:
			l.implied++
			l.nodes[next] = &node{item: item{header: tar.Header{Typeflag: tar.TypeDir, Mode: 0o755, ModTime: time.Unix(0, 0)}}}
			at = next
		case n.header.Typeflag == tar.TypeDir:
			at = next
		case n.header.Typeflag != tar.TypeSymlink:
			return "", fmt.Errorf("%q is no folder", next)
		case links == maxLinks:
			return "", fmt.Errorf("too many symbolic links on the way to %q", name)
		default:
			links++
			if path.IsAbs(n.header.Linkname) {
				at = "."
			}
			rest = append(strings.Split(n.header.Linkname, "/"), rest...)
		}
	}
	return at, nil
}

// place returns where the file of that name is, as folder does.
func (l *layout) place(name string) (string, error) {
	dir, err := l.folder(path.Dir(name))
	if err != nil {
		return "", err
	}
	at := path.Join(dir, path.Base(name))
	if len(at) > maxPath {
		return "", errTooLong
	}
	return at, nil
}

// put adds a file that we made ourselves, whatever was there.
func (l *layout) put(name string, data []byte) error {
	at, err := l.place(name)
	if err != nil {
		return fmt.Errorf("adding %q: %w", name, err)
	}
	if have := l.nodes[at]; have != nil && have.header.Typeflag == tar.TypeDir {
		return fmt.Errorf("adding %q: it is a folder", name)
	}
	l.nodes[at] = &node{item: item{
		header: tar.Header{Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data)), ModTime: time.Unix(0, 0)},
		data:   bytes.NewReader(data),
	}}
	return nil
}
