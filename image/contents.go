package image

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/packages"
)

// folders are those that the broker uses: owned by root:root with the group's
// permissions equal to the owner's, so that any uid with gid 0 can do what
// root could. Only the data is closed to others: a uid without gid 0 still
// reaches credentials that are mounted one by one.
func folders() []packages.Entry {
	return []packages.Entry{
		directory(path.Dir(config.DataDir), 0o775),
		directory(config.AuthDir, 0o775),
		directory(config.CertsDir, 0o775),
		directory(config.ConfigDir, 0o775),
		directory(config.DataDir, 0o770),
	}
}

// renderedEntries is the content of the second layer.
func renderedEntries(s Spec, of base) ([]packages.Entry, error) {
	for _, f := range s.Bundle.Rendered {
		if bytes.Contains(f.Data, []byte("PRIVATE KEY-----")) {
			return nil, fmt.Errorf("file %q holds a private key: such a file belongs to the defaults", f.Path)
		}
	}
	all := of.Accounts.with()
	entries := append(folders(), regular(passwdPath, 0o644, all.Passwd), regular(groupPath, 0o644, all.Group))
	for _, l := range licenseFiles(s.Lock) {
		entries = append(entries, regular(l.Path, l.Mode, l.Data))
	}
	more, err := fileEntries(s.Bundle.Rendered)
	if err != nil {
		return nil, err
	}
	entries = append(entries, more...)
	sbom, err := sbomEntry(s, of, entries)
	return append(entries, sbom), err
}

// defaultsEntries is the content of the third layer. It repeats the folders
// its files are in, with the modes they have in the second.
func defaultsEntries(s Spec) ([]packages.Entry, error) {
	entries, err := fileEntries(s.Bundle.Defaults)
	if err != nil {
		return nil, err
	}
	for _, dir := range folders() {
		for _, f := range s.Bundle.Defaults {
			if strings.HasPrefix(f.Path, dir.Header.Name+"/") {
				entries = append(entries, dir)
				break
			}
		}
	}
	return entries, nil
}

func fileEntries(list []files.File) ([]packages.Entry, error) {
	var entries []packages.Entry
	for _, f := range list {
		if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path {
			return nil, fmt.Errorf("file %q: its path is not absolute and clean", f.Path)
		}
		entries = append(entries, regular(f.Path, f.Mode, f.Data))
	}
	return entries, nil
}
