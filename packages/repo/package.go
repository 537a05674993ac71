package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"chainguard.dev/apko/pkg/apk/apk"
)

// File is a file, a folder or a symbolic link of a package. In the package it
// is owned by root:root and dated by the epoch given to Write.
type File struct {
	Path string      // with no leading slash
	Mode fs.FileMode // permission, setuid, setgid and sticky bits; ModeDir, ModeSymlink
	Link string      // target of a symbolic link, as it is to be written
	Data []byte      // content of a regular file
}

// Package is a package to write. Name and Version are required; folders that
// Files leaves out are added with mode 0755.
type Package struct {
	Name, Version, Description, License, Origin, URL, Maintainer string

	Depends, Provides []string
	ProviderPriority  int
	Files             []File
}

// FileName returns the name of the package's file in a repository.
func (p Package) FileName() string { return p.Name + "-" + p.Version + ".apk" }

var nameRE = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.+-]*$`)

// check refuses what would make an index or a package that reads back as
// something else.
func (p Package) check() error {
	if !nameRE.MatchString(p.Name) {
		return fmt.Errorf("checking package name %q: not a name that apk knows", p.Name)
	}
	if _, err := apk.ParseVersion(p.Version); err != nil {
		return fmt.Errorf("checking version %q of package %q: %w", p.Version, p.Name, err)
	}
	lines := slices.Concat([]string{p.Description, p.License, p.Origin, p.URL, p.Maintainer}, p.Depends, p.Provides)
	if i := slices.IndexFunc(lines, func(s string) bool { return strings.ContainsAny(s, "\n\r\x00") }); i >= 0 {
		return fmt.Errorf("checking package %q: line break in %q", p.Name, lines[i])
	}
	words := slices.Concat(p.Depends, p.Provides)
	if i := slices.IndexFunc(words, func(s string) bool { return s == "" || strings.ContainsAny(s, " \t") }); i >= 0 {
		return fmt.Errorf("checking package %q: blank in dependency %q", p.Name, words[i])
	}
	if p.ProviderPriority < 0 {
		return fmt.Errorf("checking package %q: negative provider priority %d", p.Name, p.ProviderPriority)
	}
	return nil
}

// tree returns the package's files as tar entries, parents before children,
// with the folders that Files leaves out.
func (p Package) tree() ([]entry, error) {
	seen := map[string]fs.FileMode{}
	var entries []entry
	for _, f := range p.Files {
		e, err := fileEntry(f)
		if _, twice := seen[f.Path]; err == nil && twice {
			err = errors.New("twice in the package")
		}
		if err != nil {
			return nil, fmt.Errorf("adding file %q to package %q: %w", f.Path, p.Name, err)
		}
		seen[f.Path] = f.Mode
		entries = append(entries, e)
	}
	for _, f := range p.Files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			mode, ok := seen[dir]
			if ok && !mode.IsDir() {
				return nil, fmt.Errorf("adding file %q to package %q: %q is no folder", f.Path, p.Name, dir)
			}
			if !ok {
				seen[dir] = fs.ModeDir | 0o755
				entries = append(entries, entry{name: dir, mode: seen[dir]})
			}
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return slices.Compare(strings.Split(a.name, "/"), strings.Split(b.name, "/"))
	})
	return entries, nil
}

func fileEntry(f File) (entry, error) {
	// A hidden file at the top would be taken for one of the control section.
	if !fs.ValidPath(f.Path) || f.Path[0] == '.' {
		return entry{}, errors.New("not a clean relative path")
	}
	switch f.Mode.Type() {
	case 0:
		return entry{name: f.Path, mode: f.Mode, data: f.Data, sum: true}, nil
	case fs.ModeDir:
		return entry{name: f.Path, mode: f.Mode}, nil
	case fs.ModeSymlink:
		if f.Link == "" {
			return entry{}, errors.New("symbolic link with no target")
		}
		return entry{name: f.Path, mode: fs.ModeSymlink | 0o777, link: f.Link, sum: true}, nil
	default:
		return entry{}, fmt.Errorf("kind of file %v", f.Mode.Type())
	}
}
