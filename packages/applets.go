package packages

import (
	"archive/tar"
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"chainguard.dev/apko/pkg/apk/apk"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// The package of the shell and of its companions, all of them one program, and
// where that lists the names that it goes by: a path a line, without the first
// slash.
const (
	busyboxPackage = "busybox"
	busyboxPath    = "bin/busybox"
	appletsPath    = "etc/busybox-paths.d/busybox"
)

// maxApplets is more than twice as many as Alpine's busybox has.
const maxApplets = 1000

// addApplets makes the links that busybox's own script makes where apk runs it:
// each name of its list that is no other package's. It does so only where the
// package was asked for: one that came along with another is nobody's toolbox.
func (l *layout) addApplets(world []string) error {
	asked := slices.ContainsFunc(world, func(w string) bool {
		return apk.ResolvePackageNameVersionPin(w).Name == busyboxPackage
	})
	list := l.nodes[appletsPath]
	if !asked || list == nil || list.header.Typeflag != tar.TypeReg {
		return nil
	}
	refuse := func(err error) error {
		return fault.With(fault.Refused, fmt.Errorf("package %q: making the links that its %q lists: %w", list.owner.Name, appletsPath, err))
	}
	names := bufio.NewScanner(io.NewSectionReader(list.data, 0, list.header.Size))
	for n := 0; names.Scan(); n++ {
		if n == maxApplets {
			return refuse(fmt.Errorf("it has more than %d lines", maxApplets))
		}
		if err := l.addApplet(names.Text()); err != nil {
			return refuse(err)
		}
	}
	if err := names.Err(); err != nil {
		return refuse(err)
	}
	return nil
}

func (l *layout) addApplet(name string) error {
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("%q is no path in an image", name)
	}
	at, err := l.place(name)
	if err != nil {
		return fmt.Errorf("adding %q: %w", name, err)
	}
	if l.nodes[at] == nil {
		l.nodes[at] = &node{item: item{header: tar.Header{
			Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: "/" + busyboxPath, ModTime: time.Unix(0, 0),
		}}}
	}
	return nil
}
