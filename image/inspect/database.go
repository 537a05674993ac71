package inspect

import (
	"bytes"
	"cmp"
	"slices"
)

// Package is an installed apk package.
type Package struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Arch     string `json:"arch,omitempty"` // apk's name of it
	License  string `json:"license,omitempty"`
	Origin   string `json:"origin,omitempty"`   // the source package
	Checksum string `json:"checksum,omitempty"` // "Q1" and base64 of SHA-1
}

// maxField bounds the lines that are looked at: those that matter are short,
// and an image may hold anything.
const maxField = 4096

// database reads apk's list of installed packages as it is written to it:
// https://wiki.alpinelinux.org/wiki/Apk_spec#Installed_Database_V2. A paragraph
// is a package; one that has no name counts for nothing.
type database struct {
	line    []byte
	current Package
	all     []Package
}

// Write implements io.Writer; it never fails.
func (d *database) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			d.keep(p)
			return n, nil
		}
		d.keep(p[:i])
		d.endLine()
		p = p[i+1:]
	}
}

func (d *database) keep(p []byte) { d.line = append(d.line, p[:min(len(p), maxField-len(d.line))]...) }

func (d *database) endLine() {
	line := string(d.line)
	d.line = d.line[:0]
	if line == "" {
		d.endPackage()
		return
	}
	if len(line) < 2 || line[1] != ':' {
		return
	}
	field := map[byte]*string{
		'P': &d.current.Name, 'V': &d.current.Version, 'A': &d.current.Arch,
		'L': &d.current.License, 'o': &d.current.Origin, 'C': &d.current.Checksum,
	}[line[0]]
	if field != nil {
		*field = line[2:]
	}
}

func (d *database) endPackage() {
	if d.current.Name != "" && len(d.all) < maxEntries {
		d.all = append(d.all, d.current)
	}
	d.current = Package{}
}

// finish returns the packages, sorted.
func (d *database) finish() []Package {
	d.endLine()
	d.endPackage()
	slices.SortFunc(d.all, func(a, b Package) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version)) })
	return d.all
}
