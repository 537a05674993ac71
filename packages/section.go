package packages

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// Limits of what is unpacked before it is verified. The largest control section
// of Alpine 3.20 has some 100 KiB.
const (
	maxSignatureSection = 256 << 10
	maxControlSection   = 8 << 20
)

// sections is a package's file cut at its gzip members.
type sections struct {
	signature []byte // unpacked; nil where there is none
	control   []byte // packed
	info      []byte // control, unpacked
	data      []byte // packed
}

// split cuts the file of a package. None of it is verified yet.
func split(file []byte) (sections, error) {
	var s sections
	first, rest, err := cutMember(file, maxControlSection)
	if err != nil {
		return s, fmt.Errorf("unpacking first section: %w", err)
	}
	s.control, s.info = file[:len(file)-len(rest)], first
	if bytes.HasPrefix(first, []byte(".SIGN.")) {
		if len(first) > maxSignatureSection {
			return s, fmt.Errorf("unpacking signature section: more than %d bytes", maxSignatureSection)
		}
		s.signature, file = first, rest
		if s.info, rest, err = cutMember(file, maxControlSection); err != nil {
			return s, fmt.Errorf("unpacking control section: %w", err)
		}
		s.control = file[:len(file)-len(rest)]
	}
	if len(rest) == 0 {
		return s, errors.New("data section is missing")
	}
	s.data = rest
	return s, nil
}

// cutMember unpacks the gzip member that file begins with, and returns what
// comes after it.
func cutMember(file []byte, limit int64) (unpacked, rest []byte, err error) {
	r := bytes.NewReader(file) // an io.ByteReader: gzip reads no byte too many
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, nil, err
	}
	zr.Multistream(false)
	unpacked, err = io.ReadAll(io.LimitReader(zr, limit+1))
	if err != nil {
		return nil, nil, err
	}
	if int64(len(unpacked)) > limit {
		return nil, nil, fmt.Errorf("more than %d bytes", limit)
	}
	return unpacked, file[len(file)-r.Len():], nil
}

// unpackData unpacks a data section, which may be several members.
func unpackData(data []byte, expect, limit int64) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(int(min(expect, limit)))
	if _, err := io.Copy(&b, io.LimitReader(zr, limit+1)); err != nil {
		return nil, err
	}
	if int64(b.Len()) > limit {
		return nil, fmt.Errorf("unpacks to more than %d bytes", limit)
	}
	return b.Bytes(), nil
}
