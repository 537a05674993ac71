package packages

import (
	"crypto/sha1" //nolint:gosec // the checksum of apk's indexes
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Limits of a package: the largest of Alpine 3.20 has 470 MB packed, but what
// runs beside a broker has a few.
const (
	maxPackage  = 512 << 20
	maxUnpacked = 1 << 30
)

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
	info *info
	data []byte // packed data section
	sum  string // SHA-256 of the file, in hex
	by   signer // of the package itself; without a key where it carries no signature
}

// verify checks file against the index's entry, from the outside to the inside,
// so that nothing but gzip, tar and signature parsing under tight limits
// touches a byte that the index doesn't vouch for.
func (p Package) verify(file []byte, ring keyring) (verified, error) {
	const byIndex, byControl = "the signed index", "the package's control section"
	if int64(len(file)) > p.Size {
		return verified{}, &mismatchError{"size", fmt.Sprintf("more than %d bytes", p.Size), fmt.Sprintf("%d bytes", p.Size), byIndex}
	}
	if int64(len(file)) != p.Size {
		return verified{}, &mismatchError{"size", fmt.Sprintf("%d bytes", len(file)), fmt.Sprintf("%d bytes", p.Size), byIndex}
	}
	v := verified{sum: hexSum(file)}
	if p.SHA256 != "" && p.SHA256 != v.sum {
		return verified{}, &mismatchError{"SHA-256", v.sum, p.SHA256, "the lock"}
	}
	s, err := split(file)
	if err != nil {
		return verified{}, err
	}
	control := sha1.Sum(s.control) //nolint:gosec // the checksum of apk's indexes
	if got := "Q1" + base64.StdEncoding.EncodeToString(control[:]); got != p.Checksum {
		return verified{}, &mismatchError{"checksum of the control section", got, p.Checksum, byIndex}
	}
	if s.signature != nil {
		signatures, err := parseSignatures(s.signature)
		if err != nil {
			return verified{}, err
		}
		if v.by, err = ring.verify(signatures, s.control); err != nil {
			return verified{}, fmt.Errorf("checking its own signature: %w", err)
		}
	}
	i, err := parseControl(s.info)
	if err != nil {
		return verified{}, fmt.Errorf("reading its control section: %w", err)
	}
	if got := hexSum(s.data); got != i.dataHash {
		return verified{}, &mismatchError{"hash of the data section", got, i.dataHash, byControl}
	}
	for _, f := range []struct{ what, got, want string }{
		{"name", i.name, p.Name}, {"version", i.version, p.Version}, {"architecture", i.arch, p.Arch},
	} {
		// An index lists a package for any architecture under its own.
		if f.got != f.want && !(f.what == "architecture" && f.got == "noarch") {
			return verified{}, &mismatchError{f.what, f.got, f.want, byIndex}
		}
	}
	v.info, v.data = i, s.data
	return v, nil
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// refuse wraps what verify or unpacking found wrong with the package's file.
func (p Package) refuse(file string, err error) error {
	return fault.With(fault.Refused, fault.Hint(fmt.Errorf("verifying package %q, file %q: %w", p.Name, file, err),
		"nothing of it was used; the file is not the one that was signed: the mirror is being updated or was tampered with, "+
			"try again later, use another repository, or build the packages here: mosqbuild packages build"))
}
