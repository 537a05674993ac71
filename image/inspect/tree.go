package inspect

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// File is a file, folder or link as a container sees it.
type File struct {
	Path string `json:"path"` // absolute
	// Type is "file", "folder", "link", "device" or "pipe". What a hard link
	// names counts as a file of its own.
	Type string `json:"type"`
	// Mode is octal, with setuid, setgid and sticky bits, such as "0755".
	Mode string `json:"mode"`
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	// Size is a file's, in bytes.
	Size int64 `json:"size"`
	// SHA256 is that of a file's content, in hex.
	SHA256 string `json:"sha256,omitempty"`
	// Target is what a link names, or a device's MAJOR:MINOR.
	Target string `json:"target,omitempty"`
	// Attributes are the extended ones, such as "security.capability".
	Attributes map[string][]byte `json:"attributes,omitempty"`
	// Layer is the number of the layer that it comes from, from 0.
	Layer int `json:"layer"`
}

const (
	typeFile   = "file"
	typeFolder = "folder"
	typeLink   = "link"
	typeDevice = "device"
	typePipe   = "pipe"
)

// Marks of removal:
// https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// maxPath is Linux's PATH_MAX, without its end.
const maxPath = 4095

// databases are where apk keeps what is installed; since a version that merges
// /usr, below it.
var databases = []string{"/lib/apk/db/installed", "/usr/lib/apk/db/installed"}

// tree is the layers read so far, one over the other.
type tree struct {
	root      *node
	nodes     int                  // made so far
	text      int                  // bytes of paths, targets and attributes so far
	installed map[string][]Package // by database
}

// node is a path; its File has no Type where no layer has an entry for it.
type node struct {
	File
	children map[string]*node
}

func newTree() *tree { return &tree{root: &node{}, installed: map[string][]Package{}} }

// apply puts an entry of layer number n over what is there.
func (t *tree) apply(n int, h *tar.Header, content io.Reader) error {
	name := path.Clean("/" + h.Name)
	if len(name) > maxPath {
		return fmt.Errorf("the path %.40q… has %d bytes, more than %d", name, len(name), maxPath)
	}
	if dir, base := path.Split(name); base == opaque {
		if parent := t.find(dir); parent != nil {
			parent.removeBelow(n)
		}
		return nil
	} else if gone, ok := strings.CutPrefix(base, whiteout); ok {
		if parent := t.find(dir); parent != nil {
			parent.remove(gone, n)
		}
		return nil
	}
	f, err := t.fileOf(name, h, content)
	if err != nil || name == "/" {
		return err
	}
	t.text += len(name) + len(f.Target)
	for k, v := range f.Attributes {
		t.text += len(k) + len(v)
	}
	if t.text > maxText {
		return fmt.Errorf("the image has more than %d bytes of paths, targets and attributes", maxText)
	}
	f.Path, f.Layer = name, n
	at := t.root
	for _, element := range strings.Split(name[1:], "/") {
		if at.children[element] == nil {
			t.nodes++
		}
		at = at.child(element)
	}
	if at.Type == typeFolder && f.Type != typeFolder {
		at.children = nil
	}
	at.File = f
	return nil
}

// fileOf describes an entry. A database is read on the way, and a hard link is
// what it names.
func (t *tree) fileOf(name string, h *tar.Header, content io.Reader) (File, error) {
	if h.Typeflag == tar.TypeLink {
		if target := t.find(path.Clean("/" + h.Linkname)); target != nil && target.Type == typeFile {
			return target.File, nil
		}
	}
	if h.Typeflag != tar.TypeReg || !slices.Contains(databases, name) {
		return fileOf(h, content)
	}
	db := &database{}
	f, err := fileOf(h, io.TeeReader(content, db))
	t.installed[name] = db.finish()
	return f, err
}

// find returns the node of a path, nil where there is none.
func (t *tree) find(name string) *node {
	at := t.root
	for _, element := range strings.Split(strings.Trim(name, "/"), "/") {
		if element == "" {
			continue
		}
		if at = at.children[element]; at == nil {
			return nil
		}
	}
	return at
}

func (n *node) child(name string) *node {
	if n.children == nil {
		n.children = map[string]*node{}
	}
	if n.children[name] == nil {
		n.children[name] = &node{}
	}
	return n.children[name]
}

// remove takes away what layers below number layer have under name: the mark
// says nothing of its own layer, wherever in it it stands.
func (n *node) remove(name string, layer int) {
	c := n.children[name]
	if c == nil {
		return
	}
	c.removeBelow(layer)
	if c.Layer < layer {
		c.File = File{}
	}
	if c.Type == "" && len(c.children) == 0 {
		delete(n.children, name)
	}
}

func (n *node) removeBelow(layer int) {
	for name := range n.children {
		n.remove(name, layer)
	}
}

// list returns every file, sorted by path, each folder before what is in it.
func (t *tree) list() []File { return t.root.appendTo([]File{}) }

func (n *node) appendTo(list []File) []File {
	if n.Type != "" {
		list = append(list, n.File)
	}
	for _, name := range slices.Sorted(maps.Keys(n.children)) {
		list = n.children[name].appendTo(list)
	}
	return list
}

// packages returns those of the database that no layer has removed.
func (t *tree) packages() []Package {
	for _, name := range databases {
		if at := t.find(name); at != nil && at.Type == typeFile && len(t.installed[name]) > 0 {
			return t.installed[name]
		}
	}
	return []Package{}
}
