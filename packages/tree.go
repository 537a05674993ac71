package packages

import (
	"archive/tar"
	"io"
	"slices"
	"strings"
)

// Entry is one file, folder or symbolic link of a Tree.
type Entry struct {
	// Header has a relative Name, that of a folder with a trailing slash; the
	// numeric owner, the mode with setuid, setgid and sticky bits, and the date
	// that the package gives; Linkname of a symbolic link; Size of a file; and
	// extended attributes as PAXRecords.
	Header tar.Header
	// Open returns the content of a regular file; it is nil for what is none.
	// It may be called many times, by several goroutines at once.
	Open func() (io.ReadCloser, error)
	// Made says that it came with no package: a file of apk's database, or a
	// link that busybox goes by.
	Made bool
}

// Tree is what apk would have installed: small packages in memory, and larger
// ones in files without a name, which are gone once nothing refers to the Tree.
// It doesn't change, so that several goroutines may use it at once.
type Tree struct {
	entries []Entry
	sums    map[string]string
}

// Entries returns everything in the tree but the root folder, sorted so that
// each folder comes before what is in it. The caller must not change it.
func (t *Tree) Entries() []Entry { return t.entries }

// Sums returns the SHA-256, in hex, of the file of each package that the tree
// was made of, by the package's name. The caller must not change it.
func (t *Tree) Sums() map[string]string { return t.sums }

// tree returns the finished layout of the packages as a Tree.
func (l *layout) tree(all []*loaded) *Tree {
	names := make([]string, 0, len(l.nodes))
	for name := range l.nodes {
		names = append(names, name)
	}
	// Component by component: "a/b" comes before "a-b".
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
	})
	entries := make([]Entry, len(names))
	for i, name := range names {
		entries[i] = l.nodes[name].entry(name)
	}
	sums := map[string]string{}
	for _, p := range all {
		sums[p.Name] = p.SHA256
	}
	return &Tree{entries, sums}
}

func (n *node) entry(name string) Entry {
	e := Entry{Header: n.header, Made: n.owner == nil && n.header.Typeflag != tar.TypeDir}
	e.Header.Name = name
	switch n.header.Typeflag {
	case tar.TypeDir:
		e.Header.Name += "/"
	case tar.TypeReg:
		e.Open = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(n.data, 0, n.header.Size)), nil }
	}
	return e
}
