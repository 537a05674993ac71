package apkrepo

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The files that Spoil changes.
const (
	Broker = "mosquitto-2.0.21-r0.apk"
	Index  = "APKINDEX.tar.gz"
)

// Kinds are the ways in which Spoil can change a repository, in a fixed order.
var Kinds = []string{"swapped", "data", "truncated", "foreign", "index", "setuid"}

// Spoil changes the broker's package, or with "index" the index:
//
//	swapped    another package stands under its name
//	data       its data section is another one of the same size
//	truncated  its last byte is missing
//	foreign    it is signed by a key that isn't trusted
//	index      the index is signed by a key that isn't trusted
//	setuid     its program is setuid, by somebody who has the trusted key
func (r Repository) Spoil(ctx context.Context, kind string) error {
	if kind == "setuid" {
		return r.setuid(ctx)
	}
	path := filepath.Join(r.Dir, Arch, Broker)
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	switch kind {
	case "swapped":
		file, err = os.ReadFile(filepath.Join(r.Dir, Arch, "mosquitto-clients-2.0.21-r0.apk"))
	case "data":
		var at int
		if at, err = lastMember(file); err == nil {
			file[at+4] ^= 1 // the date in gzip's header: it still unpacks to the same
		}
	case "truncated":
		file = file[:len(file)-1]
	case "foreign":
		file, err = signedByAnother(ctx, Broker)
	case "index":
		path = filepath.Join(r.Dir, Arch, Index)
		file, err = signedByAnother(ctx, Index)
	default:
		err = fmt.Errorf("%q is none of %q", kind, Kinds)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, file, 0o644)
}

// setuid writes the repository anew, with a broker that runs as its owner.
func (r Repository) setuid(ctx context.Context) error {
	key, err := trusted()
	if err != nil {
		return err
	}
	pkgs := packages(1, Arch)
	for _, p := range pkgs {
		if p.FileName() == Broker {
			p.Files[0].Mode |= fs.ModeSetuid
		}
	}
	return write(ctx, r.Dir, key, pkgs)
}

// signedByAnother is the file of that name from the same repository, signed by
// a key that isn't trusted.
func signedByAnother(ctx context.Context, name string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "apkrepo")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	key, err := foreign()
	if err != nil {
		return nil, err
	}
	if err := write(ctx, dir, key, packages(1, Arch)); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, Arch, name))
}

// lastMember is where the last of a package's gzip members begins.
func lastMember(file []byte) (int, error) {
	for at := 0; ; {
		r := bytes.NewReader(file[at:])
		zr, err := gzip.NewReader(r)
		if err != nil {
			return 0, err
		}
		zr.Multistream(false)
		if _, err := io.Copy(io.Discard, zr); err != nil {
			return 0, err
		}
		if r.Len() == 0 {
			return at, nil
		}
		at = len(file) - r.Len()
	}
}
