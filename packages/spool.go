package packages

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// inMemory is how many bytes a spool holds in memory. A tree holds so much of
// each of its packages at most: 30 MiB of 60. Making a file takes some 50 µs
// and unpacking this much a millisecond or two, so that it shows in no build.
const inMemory = 512 << 10

// spool keeps what fill has read: in memory where that is little, else in a
// file without a name in the folder dir, or where that is "", the system's for
// temporary files.
type spool struct {
	dir    string
	size   int64
	memory []byte
	file   *os.File
}

// spool returns an empty one.
func (o Options) spool() *spool { return &spool{dir: o.Cache} }

// fill reads r, which claims to have size bytes, to its end, but no more than
// limit+1 bytes. What was there before is dropped.
func (s *spool) fill(r io.Reader, size, limit int64) error {
	s.drop()
	if size > inMemory {
		if err := s.spill(); err != nil {
			return err
		}
	} else {
		s.memory = make([]byte, 0, min(max(size, 0), limit)+1)
	}
	_, err := io.Copy(s, io.LimitReader(r, limit+1))
	return err
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (n int, err error) {
	if s.file == nil && len(s.memory)+len(p) > inMemory {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	if n = len(p); s.file == nil {
		s.memory = append(s.memory, p...)
	} else {
		n, err = s.file.Write(p)
	}
	s.size += int64(n)
	return n, err
}

// spill goes on in a file.
func (s *spool) spill() error {
	if s.dir != "" {
		if err := os.MkdirAll(s.dir, 0o755); err != nil {
			return err
		}
	}
	file, err := atomicfile.Unnamed(s.dir)
	if err != nil {
		return err
	}
	if _, err := file.Write(s.memory); err != nil {
		return errors.Join(err, file.Close())
	}
	s.file, s.memory = file, nil
	return nil
}

// section returns what is kept. It is closed by closeFile, or once nothing
// refers to it.
func (s *spool) section() *io.SectionReader {
	if s.file == nil {
		return sectionOf(s.memory)
	}
	return io.NewSectionReader(s.file, 0, s.size)
}

// drop forgets what is kept. A nil spool keeps nothing.
func (s *spool) drop() {
	if s == nil {
		return
	}
	closeFile(s.section())
	*s = spool{dir: s.dir}
}

func sectionOf(data []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
}

// openFile opens a regular file, to be closed by closeFile. It waits for nobody
// to write to a pipe.
func openFile(path string) (*io.SectionReader, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
			err = inner.Err // the caller names the file
		}
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return io.NewSectionReader(f, 0, st.Size()), nil
}

// closeFile closes what the section is of, where that is a file.
func closeFile(s *io.SectionReader) {
	of, _, _ := s.Outer()
	if c, ok := of.(io.Closer); ok {
		_ = c.Close() // nothing is written to it any more
	}
}

// isLocal says whether err is of reading or writing a file here, such as that
// of a full disk, for which no repository can be blamed.
func isLocal(err error) bool {
	cause := (*fs.PathError)(nil)
	return errors.As(err, &cause)
}

// hintLocal says what to do about such an error.
func hintLocal(err error) error {
	return fault.Hint(err, "make room where that file is, or see what is wrong with that disk")
}
