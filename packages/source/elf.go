package source

import (
	"bytes"
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// link adds what abuild would find out about a package's programs and
// libraries: the libraries that it provides and needs, and its commands.
func link(p *repo.Package) error {
	var needs, has []string
	for _, f := range p.Files {
		if f.Mode.IsRegular() && isCommand(f.Path) {
			p.Provides = append(p.Provides, "cmd:"+path.Base(f.Path)+"="+p.Version)
		}
		if !f.Mode.IsRegular() || !bytes.HasPrefix(f.Data, []byte(elf.ELFMAG)) {
			continue
		}
		soname, imports, err := dynamic(f.Data)
		if err != nil {
			return fmt.Errorf("reading program %q: %w", f.Path, err)
		}
		for _, lib := range imports {
			needs = append(needs, "so:"+lib)
		}
		if soname != "" {
			has = append(has, "so:"+soname)
			p.Provides = append(p.Provides, "so:"+soname+"="+soVersion(soname, path.Base(f.Path)))
		}
	}
	for _, n := range needs {
		if !slices.Contains(has, n) {
			p.Depends = append(p.Depends, n)
		}
	}
	slices.Sort(p.Depends)
	p.Depends = slices.Compact(p.Depends)
	slices.Sort(p.Provides)
	return nil
}

func isCommand(name string) bool {
	dir := path.Base(path.Dir(name))
	return dir == "bin" || dir == "sbin"
}

// dynamic returns the soname of a program or library and the libraries that it
// is linked against.
func dynamic(data []byte) (soname string, imports []string, err error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return "", nil, err
	}
	names, err := f.DynString(elf.DT_SONAME)
	if err != nil {
		return "", nil, err
	}
	imports, err = f.ImportedLibraries()
	return strings.Join(names, ""), imports, err
}

// soVersion is abuild's version of a soname: what the file is called beyond
// it, else the number that it ends in.
func soVersion(soname, file string) string {
	for _, name := range []string{file, soname} {
		if base, version, ok := strings.Cut(name, ".so."); ok && strings.HasPrefix(soname, base+".so") {
			return version
		}
	}
	return "0"
}
