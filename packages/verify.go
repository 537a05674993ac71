package packages

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // the checksum of apk's indexes
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Limits of a package: the largest of Alpine 3.20 has 470 MB packed, but what
// runs beside a broker has a few.
const (
	maxPackage  = 512 << 20
	maxUnpacked = 1 << 30
	// unpackSlack is what a package of many small files may unpack to beyond its
	// installed size.
	unpackSlack = 16 << 20
)

// Who says what a package should be.
const byIndex, byControl = "the signed index", "the package's control section"

// mismatchError is a value of a package's file that isn't what was expected.
type mismatchError struct {
	what, got, want string
	by              string // who says what it should be
}

func (e *mismatchError) Error() string {
	return fmt.Sprintf("%s is %s, %s says %s", e.what, e.got, e.by, e.want)
}

// verified is a package's file that is what the signed index says.
type verified struct {
	info    *info
	section *io.SectionReader // data section, unpacked; nil where nobody asked for it
	sum     string            // SHA-256 of the file, in hex
	by      signer            // of the package itself; without a key where it carries no signature
}

// readAhead is how many bytes of a package are read, hashed and unpacked at a
// time.
const readAhead = 64 << 10

// verify checks file against the index's entry, and unpacks its data section to
// the spool, unless that is nil. It reads the file once: nothing but gzip, tar
// and signature parsing under tight limits touches a byte that isn't vouched
// for, and what they make of it is dropped unless all of the file is as it
// should be.
func (p Package) verify(file *io.SectionReader, ring keyring, to *spool) (_ verified, err error) {
	defer func() {
		if err != nil {
			to.drop()
		}
	}()
	if got, want := file.Size(), fmt.Sprintf("%d bytes", p.Size); got > p.Size {
		return verified{}, &mismatchError{"size", "more than " + want, want, byIndex}
	} else if got != p.Size {
		return verified{}, &mismatchError{"size", fmt.Sprintf("%d bytes", got), want, byIndex}
	}
	whole, data := sha256.New(), sha256.New()
	in := bufio.NewReaderSize(io.TeeReader(io.NewSectionReader(file, 0, p.Size), whole), readAhead)
	v, wrong := p.verifyControl(in, ring)
	packed := bufio.NewReaderSize(io.TeeReader(in, data), readAhead)
	var unpacking error
	if wrong == nil && to != nil {
		unpacking = unpackData(to, packed, p.InstalledSize*5/4, p.maxUnpacked())
	}
	// The sums are of all of it, whatever was wrong above.
	if _, err := io.Copy(io.Discard, packed); err != nil {
		return verified{}, err
	}
	v.sum = hexOf(whole)
	switch {
	case p.SHA256 != "" && p.SHA256 != v.sum:
		return verified{}, &mismatchError{"SHA-256", v.sum, p.SHA256, "the lock"}
	case wrong != nil:
		return verified{}, wrong
	case hexOf(data) != v.info.dataHash:
		return verified{}, &mismatchError{"hash of the data section", hexOf(data), v.info.dataHash, byControl}
	}
	if err := p.agree(v.info); err != nil {
		return verified{}, err
	}
	if unpacking != nil {
		return verified{}, fmt.Errorf("unpacking its data section: %w", unpacking)
	}
	if to != nil {
		v.section = to.section()
	}
	return v, nil
}

// verifyControl checks what comes before the data section.
func (p Package) verifyControl(file *bufio.Reader, ring keyring) (v verified, err error) {
	s, err := split(file)
	if err != nil {
		return v, err
	}
	control := sha1.Sum(s.control) //nolint:gosec // the checksum of apk's indexes
	if got := "Q1" + base64.StdEncoding.EncodeToString(control[:]); got != p.Checksum {
		return v, &mismatchError{"checksum of the control section", got, p.Checksum, byIndex}
	}
	if s.signature != nil {
		signatures, err := parseSignatures(s.signature)
		if err != nil {
			return v, err
		}
		if v.by, err = ring.verify(signatures, s.control); err != nil {
			return v, fmt.Errorf("checking its own signature: %w", err)
		}
	}
	if v.info, err = parseControl(s.info); err != nil {
		return v, fmt.Errorf("reading its control section: %w", err)
	}
	return v, nil
}

// agree checks what a package says of itself.
func (p Package) agree(i *info) error {
	for _, f := range []struct{ what, got, want string }{
		{"name", i.name, p.Name}, {"version", i.version, p.Version}, {"architecture", i.arch, p.Arch},
	} {
		// An index lists a package for any architecture under its own.
		if f.got != f.want && !(f.what == "architecture" && f.got == "noarch") {
			return &mismatchError{f.what, f.got, f.want, byIndex}
		}
	}
	return nil
}

// maxUnpacked is what the data section may unpack to. Installed size as Alpine
// counts it is rounded up to blocks; a tar may still be larger by its headers.
func (p Package) maxUnpacked() int64 {
	return min(4*p.InstalledSize+unpackSlack, maxUnpacked)
}

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// refuse wraps what verify or unpacking found wrong with the package's file.
func (p Package) refuse(file string, err error) error {
	err = fmt.Errorf("verifying package %q, file %q: %w", p.Name, file, err)
	if isLocal(err) {
		return hintLocal(err)
	}
	return fault.With(fault.Refused, fault.Hint(err,
		"nothing of it was used; the file is not the one that was signed: the mirror is being updated or was tampered with, "+
			"try again later, use another repository, or build the packages here: mosqbuild packages build"))
}
