package image

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // SPDX asks for it beside SHA-256
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/mosqbuild/mosqbuild/packages"
)

// base is what the other layers need of the packages layer, which may come from
// the cache.
type base struct {
	Accounts accounts
	Sums     map[string]string // of the packages' files, as packages.Tree has them
	Made     []summed          // the files that no package brought
}

func baseOf(tree *packages.Tree) (base, error) {
	a, err := accountsOf(tree.Entries())
	if err != nil {
		return base{}, err
	}
	made := slices.DeleteFunc(slices.Clone(tree.Entries()), func(e packages.Entry) bool { return !e.Made })
	list, err := sumsOf(made)
	return base{a, tree.Sums(), list}, err
}

// fits says whether the packages are to the byte those that were locked, where
// they were: one that was signed anew is the same to apk.
func (b base) fits(l *packages.Lock) bool {
	return !slices.ContainsFunc(l.Packages, func(p packages.Package) bool { return p.SHA256 != "" && p.SHA256 != b.Sums[p.Name] })
}

// summed is a regular file of the image.
type summed struct {
	Name         string // without the first slash
	SHA1, SHA256 string // in hex
	Type         string // as SPDX has it
}

// sumsOf reads the regular files among the entries.
func sumsOf(entries []packages.Entry) ([]summed, error) {
	var list []summed
	for _, e := range entries {
		if e.Open == nil {
			continue
		}
		name, err := cleanName(e.Header.Name)
		if err != nil {
			return nil, err
		}
		data, err := content(e)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", e.Header.Name, err)
		}
		short := sha1.Sum(data) //nolint:gosec // as above
		list = append(list, summed{name, hex.EncodeToString(short[:]), hexSum(data), fileType(name, data)})
	}
	return list, nil
}

func fileType(name string, data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\x7fELF")):
		return "BINARY"
	case strings.HasSuffix(name, ".tar"):
		return "ARCHIVE"
	}
	return "TEXT"
}

// sbomFiles lists files sorted by path, of those at one path the last.
func sbomFiles(layers ...[]summed) []*v2_3.File {
	byName := map[string]*v2_3.File{}
	for _, s := range slices.Concat(layers...) {
		byName[s.Name] = s.file()
	}
	var list []*v2_3.File
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, byName[name])
	}
	return list
}

func (s summed) file() *v2_3.File {
	return &v2_3.File{
		FileName: "./" + s.Name, FileSPDXIdentifier: elementID("File", s.Name), FileTypes: []string{s.Type},
		Checksums:        []common.Checksum{{Algorithm: common.SHA1, Value: s.SHA1}, {Algorithm: common.SHA256, Value: s.SHA256}},
		LicenseConcluded: noAssertion, LicenseInfoInFiles: []string{noAssertion}, FileCopyrightText: noAssertion,
	}
}
