package packages

import (
	"bufio"
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

// sections is what comes before a package's data section, cut at the gzip
// members.
type sections struct {
	signature []byte // unpacked; nil where there is none
	control   []byte // packed
	info      []byte // control, unpacked
}

// split reads the sections of a package's file up to where its data section
// begins. None of it is verified yet.
func split(file *bufio.Reader) (s sections, err error) {
	s.control, s.info, err = cutMember(file, maxControlSection)
	if err != nil {
		return s, fmt.Errorf("unpacking first section: %w", err)
	}
	if bytes.HasPrefix(s.info, []byte(".SIGN.")) {
		if len(s.info) > maxSignatureSection {
			return s, fmt.Errorf("unpacking signature section: more than %d bytes", maxSignatureSection)
		}
		s.signature = s.info
		if s.control, s.info, err = cutMember(file, maxControlSection); err != nil {
			return s, fmt.Errorf("unpacking control section: %w", err)
		}
	}
	if _, err := file.Peek(1); errors.Is(err, io.EOF) {
		return s, errors.New("data section is missing")
	}
	return s, nil
}

// cutMember reads the gzip member that file begins with, and no byte of what
// comes after it. With an error it returns what it had unpacked by then.
func cutMember(file *bufio.Reader, limit int) (packed, unpacked []byte, err error) {
	t := &tape{file: file, limit: limit}
	zr, err := gzip.NewReader(t)
	if err != nil {
		return nil, nil, err
	}
	zr.Multistream(false)
	unpacked, err = io.ReadAll(io.LimitReader(zr, int64(limit)+1))
	if err == nil && len(unpacked) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return t.kept, unpacked, err
}

// tape keeps what is read from file. As an io.ByteReader it has gzip read no
// byte too many.
type tape struct {
	file  *bufio.Reader
	kept  []byte
	limit int
}

// Read implements io.Reader.
func (t *tape) Read(p []byte) (int, error) {
	n, err := t.file.Read(p)
	return n, t.keep(p[:n], err)
}

// ReadByte implements io.ByteReader.
func (t *tape) ReadByte() (byte, error) {
	c, err := t.file.ReadByte()
	if err != nil {
		return c, err
	}
	return c, t.keep([]byte{c}, nil)
}

func (t *tape) keep(p []byte, err error) error {
	if t.kept = append(t.kept, p...); len(t.kept) > t.limit {
		return fmt.Errorf("more than %d bytes", t.limit)
	}
	return err
}

// unpackData unpacks a data section, which may be several members, and claims
// to have some size unpacked.
func unpackData(to *spool, packed *bufio.Reader, size, limit int64) error {
	zr, err := gzip.NewReader(packed)
	if err != nil {
		return err
	}
	if err := to.fill(zr, size, limit); err != nil {
		return err
	}
	if to.size > limit {
		return fmt.Errorf("unpacks to more than %d bytes", limit)
	}
	return nil
}
