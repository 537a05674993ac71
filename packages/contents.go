package packages

import (
	"archive/tar"
	"crypto/sha1" //nolint:gosec // the checksum of apk's database
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// setID are the bits setuid and setgid.
const setID = 0o6000

// item is one file, folder or symbolic link of a package.
type item struct {
	header tar.Header  // Name is clean and relative, with no trailing slash
	data   io.ReaderAt // content of a regular file
	sum    string      // "Q1…" of the content or of a link's target; "" for a folder
}

const (
	checksumRecord   = "APK-TOOLS.checksum.SHA1"
	xattrRecords     = "SCHILY.xattr."
	capabilityRecord = xattrRecords + "security.capability"
)

// The kernel's limits of a path and of a name in it, limits.h: nobody could
// unpack what is longer.
const (
	maxPath = 4095
	maxName = 255
)

var errTooLong = errors.New("path that is too long for any file system")

// readContents reads an unpacked data section. Whatever doesn't belong into a
// package is refused: a name that leaves the tree, a device, a link to a file
// that is not the package's, a program that gives its caller rights. With the
// copies that hard links become it may have limit bytes.
func readContents(section *io.SectionReader, limit int64) ([]item, error) {
	var items []item
	limit -= section.Size()
	seen := map[string]int{}
	for tr := tar.NewReader(section); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return nil, err
		}
		it, err := readItem(h, section)
		if err == nil && it.header.Typeflag == tar.TypeLink {
			i, ok := seen[it.header.Linkname]
			if !ok || items[i].header.Typeflag != tar.TypeReg {
				return nil, fmt.Errorf("entry %q: hard link to %q, which is no file of the package before it", h.Name, h.Linkname)
			}
			it = it.copyOf(items[i])
			if limit -= it.header.Size; limit < 0 {
				return nil, fmt.Errorf("entry %q: with the copies of hard links it is too large by %d bytes", h.Name, -limit)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("entry %q: %w", h.Name, err)
		}
		if it.header.Name == "." {
			continue
		}
		if i, twice := seen[it.header.Name]; twice && (it.header.Typeflag != tar.TypeDir || items[i].header.Typeflag != tar.TypeDir) {
			return nil, fmt.Errorf("entry %q: twice in the package", h.Name)
		}
		seen[it.header.Name] = len(items)
		items = append(items, it)
	}
}

// readItem checks one entry of section, which stands at its content.
func readItem(h *tar.Header, section *io.SectionReader) (item, error) {
	name, err := cleanName(h.Name)
	if err != nil {
		return item{}, err
	}
	it := item{header: tar.Header{
		Typeflag: h.Typeflag, Name: name, Mode: h.Mode & 0o7777, Uid: h.Uid, Gid: h.Gid, ModTime: h.ModTime,
	}}
	if h.Uid < 0 || h.Gid < 0 {
		return item{}, fmt.Errorf("owner %d:%d", h.Uid, h.Gid)
	}
	if _, capable := h.PAXRecords[capabilityRecord]; capable || h.Mode&setID != 0 && h.Typeflag != tar.TypeDir {
		return item{}, fmt.Errorf("mode %04o, capabilities: %v: it would give whoever runs it another's rights", h.Mode&0o7777, capable)
	}
	content := io.Reader(strings.NewReader(h.Linkname))
	switch h.Typeflag {
	case tar.TypeReg:
		at, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return item{}, err
		}
		if left := section.Size() - at; h.Size < 0 || h.Size > left || IsSparse(h) {
			return item{}, fmt.Errorf("%d bytes with %d left", h.Size, left)
		}
		if strings.HasPrefix(name, ".") && !strings.Contains(name, "/") {
			return item{}, errors.New("file of the control section among the data")
		}
		file := io.NewSectionReader(section, at, h.Size)
		content, it.data, it.header.Size = file, file, h.Size
	case tar.TypeDir:
		it.header.PAXRecords = xattrs(h)
		return it, nil
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) > maxPath || hasControl(h.Linkname) || !utf8.ValidString(h.Linkname) {
			return item{}, fmt.Errorf("symbolic link to %q", h.Linkname)
		}
		if climbs(name, h.Linkname) {
			return item{}, fmt.Errorf("symbolic link to %q, above the root", h.Linkname)
		}
		it.header.Linkname = h.Linkname
	case tar.TypeLink:
		it.header.Linkname, err = cleanName(h.Linkname)
		return it, err
	default:
		return item{}, fmt.Errorf("kind %q is neither file, folder nor link", h.Typeflag)
	}
	it.header.PAXRecords = xattrs(h)
	it.sum, err = checksum(h, content)
	return it, err
}

// climbs reports whether the link of that name leads above the root. An absolute
// target starts at it, whatever the root is by then.
func climbs(name, target string) bool {
	to := path.Join(path.Dir(name), target)
	return !path.IsAbs(target) && (to == ".." || strings.HasPrefix(to, "../"))
}

// copyOf makes a hard link a file of its own: layers are sorted by name, where
// a link may come before what it links to.
func (it item) copyOf(target item) item {
	name := it.header.Name
	it = target
	it.header.Name = name
	return it
}

// cleanName returns name as a clean relative path. Line breaks would forge lines
// of the database of installed packages.
func cleanName(name string) (string, error) {
	clean := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if clean == "" && name != "" && name != "/" {
		clean = "."
	}
	if !fs.ValidPath(clean) {
		return "", errors.New("not a path inside the tree")
	}
	if hasControl(clean) {
		return "", errors.New("control character in a path")
	}
	if len(clean) > maxPath || slices.ContainsFunc(strings.Split(clean, "/"), func(s string) bool { return len(s) > maxName }) {
		return "", errTooLong
	}
	return clean, nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// IsSparse tells whether an entry has holes, whose zeros its reader makes.
func IsSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse") {
			return true
		}
	}
	return false
}

func xattrs(h *tar.Header) map[string]string {
	kept := maps.Clone(h.PAXRecords)
	maps.DeleteFunc(kept, func(k, _ string) bool { return !strings.HasPrefix(k, xattrRecords) })
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// checksum returns the checksum that the entry carries, or where it carries
// none, that of content.
func checksum(h *tar.Header, content io.Reader) (string, error) {
	sum := []byte(nil)
	if text, ok := h.PAXRecords[checksumRecord]; ok {
		var err error
		if sum, err = hex.DecodeString(text); err != nil || len(sum) != sha1.Size {
			return "", fmt.Errorf("checksum %q is no SHA-1 in hex", text)
		}
	} else {
		s := sha1.New() //nolint:gosec // the checksum of apk's database
		if _, err := io.Copy(s, content); err != nil {
			return "", err
		}
		sum = s.Sum(nil)
	}
	return "Q1" + base64.StdEncoding.EncodeToString(sum), nil
}
