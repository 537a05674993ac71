package image

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/packages"
)

// xattrPrefix is the only PAX record that survives: file capabilities and
// their like are content, times and names of users are not.
const xattrPrefix = "SCHILY.xattr."

// writeTar writes entries as a tar stream that depends on nothing but them
// and created. Parents that entries lack are added at 0755.
func writeTar(ctx context.Context, w io.Writer, entries []packages.Entry, created time.Time) error {
	ordered, err := order(entries)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	buf := make([]byte, 64<<10) // one for all files
	for _, e := range ordered {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writeEntry(tw, e, created, buf); err != nil {
			return fmt.Errorf("writing %q: %w", e.Header.Name, err)
		}
	}
	return tw.Close()
}

func writeEntry(tw *tar.Writer, e packages.Entry, created time.Time, buf []byte) error {
	h := normal(e.Header, created)
	if err := tw.WriteHeader(&h); err != nil {
		return err
	}
	if e.Open == nil || h.Typeflag != tar.TypeReg {
		return nil
	}
	r, err := e.Open()
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(tw, r, buf)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return err
}

// normal keeps what a file is and drops who packed it and when.
func normal(h tar.Header, created time.Time) tar.Header {
	n := tar.Header{
		Typeflag: h.Typeflag, Name: h.Name, Linkname: h.Linkname, Size: h.Size,
		Mode: h.Mode & 0o7777, Uid: h.Uid, Gid: h.Gid,
		Devmajor: h.Devmajor, Devminor: h.Devminor, ModTime: created,
	}
	if n.Typeflag != tar.TypeReg {
		n.Size = 0
	}
	for k, v := range h.PAXRecords {
		if strings.HasPrefix(k, xattrPrefix) {
			if n.PAXRecords == nil {
				n.PAXRecords = map[string]string{}
			}
			n.PAXRecords[k] = v
		}
	}
	return n
}

// order sorts entries by path, parents before children, with hard links last,
// since a link can only be unpacked after what it points to.
func order(entries []packages.Entry) ([]packages.Entry, error) {
	byPath := make(map[string]packages.Entry, len(entries))
	for _, e := range entries {
		name, err := cleanName(e.Header.Name)
		if err != nil {
			return nil, err
		}
		if name == "" {
			continue // the root folder is the runtime's
		}
		if _, twice := byPath[name]; twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		if e.Header.Typeflag == 0 {
			e.Header.Typeflag = tar.TypeReg
		}
		byPath[name] = e
	}
	addParents(byPath)
	names := make([]string, 0, len(byPath))
	for name := range byPath {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if la, lb := byPath[a].Header.Typeflag == tar.TypeLink, byPath[b].Header.Typeflag == tar.TypeLink; la != lb {
			if la {
				return 1
			}
			return -1
		}
		return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
	})
	ordered := make([]packages.Entry, 0, len(names))
	for _, name := range names {
		e := byPath[name]
		e.Header.Name = name
		if e.Header.Typeflag == tar.TypeDir {
			e.Header.Name += "/"
		}
		ordered = append(ordered, e)
	}
	return ordered, nil
}

func addParents(byPath map[string]packages.Entry) {
	var missing []string
	for name := range byPath {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := byPath[dir]; !ok {
				missing = append(missing, dir)
			}
		}
	}
	for _, dir := range missing {
		byPath[dir] = directory(dir, 0o755)
	}
}

// NextEntry is Next for a layer or archive that may be anybody's. A sparse file is
// an error: its reader makes zeros, up to as many as its header says, out of nothing
// that could be bounded, or end with a context. Builders write none.
func NextEntry(r *tar.Reader) (*tar.Header, error) {
	h, err := r.Next()
	if err != nil {
		return nil, err
	}
	if packages.IsSparse(h) {
		return nil, fmt.Errorf("%.100q is a sparse file, which isn't read", h.Name)
	}
	return h, nil
}

// cleanName returns name without a leading slash or dot; "" is the root.
func cleanName(name string) (string, error) {
	for _, element := range strings.Split(name, "/") {
		if element == ".." {
			return "", fmt.Errorf("path %q leaves the image", name)
		}
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), nil
}

func directory(name string, mode fs.FileMode) packages.Entry {
	return packages.Entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: int64(mode.Perm())}}
}

func regular(name string, mode fs.FileMode, data []byte) packages.Entry {
	return packages.Entry{
		Header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(mode.Perm()), Size: int64(len(data))},
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(data))), nil },
	}
}
