package source

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Source is a Debian source package, as the suite's signed index has it.
type Source struct {
	Name    string       `json:"name"`
	Epoch   string       `json:"epoch,omitempty"` // of Debian's version, with its colon, or ""
	Version string       `json:"version"`         // the rest of it, as it stands in file names
	Files   []SourceFile `json:"files"`
	// Missing is a newer version that the index announces and the mirror
	// doesn't have, or "".
	Missing string `json:"missing,omitempty"`
}

// SourceFile is a file of a source package.
type SourceFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// exactly names the package in this version, as apt takes it.
func (s Source) exactly() string { return s.Name + "=" + s.Epoch + s.Version }

// dsc returns the name of the file that describes the package.
func (s Source) dsc() string {
	for _, f := range s.Files {
		if strings.HasSuffix(f.Name, ".dsc") {
			return f.Name
		}
	}
	return ""
}

// digest returns what tells the package's content from any other's.
func (s Source) digest() string {
	var b strings.Builder
	for _, f := range s.Files {
		fmt.Fprintf(&b, "%s  %s\n", f.SHA256, f.Name)
	}
	return b.String()
}

// verify checks that dir holds the package's files.
func (s Source) verify(dir string) error {
	for _, f := range s.Files {
		if err := f.verify(dir); err != nil {
			return fmt.Errorf("checking source file %q: %w", f.Name, err)
		}
	}
	return nil
}

func (f SourceFile) verify(dir string) error {
	file, err := os.Open(filepath.Join(dir, f.Name))
	if err != nil {
		return err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != f.SHA256 {
		return fault.With(fault.Refused, fmt.Errorf("its SHA-256 is %s, the signed index says %s", got, f.SHA256))
	}
	return nil
}

// parseURIs reads what apt-get source --print-uris prints, a line
//
//	'URI' NAME_VERSION.SUFFIX SIZE SHA256:HEX
//
// a file, and returns the packages called names, in that order.
func parseURIs(out string, names []string) ([]Source, error) {
	list := make([]Source, len(names))
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "'") {
			continue
		}
		f, err := parseURI(line)
		if err != nil {
			return nil, fmt.Errorf("reading apt's answer %q: %w", line, err)
		}
		name, rest, _ := strings.Cut(f.Name, "_")
		i := slices.Index(names, name)
		if i < 0 {
			return nil, fmt.Errorf("reading apt's answer %q: no package that was asked for", line)
		}
		list[i].Name = name
		list[i].Files = append(list[i].Files, f)
		if version, ok := strings.CutSuffix(rest, ".dsc"); ok {
			list[i].Version = version
		}
	}
	for i, s := range list {
		if s.Version == "" {
			return nil, fmt.Errorf("looking for source package %q: the mirror's index has none", names[i])
		}
	}
	return list, nil
}

func parseURI(line string) (SourceFile, error) {
	fields := strings.Fields(line)
	if len(fields) != 4 {
		return SourceFile{}, errors.New("not four fields")
	}
	f := SourceFile{Name: fields[1]}
	var err error
	if f.Size, err = strconv.ParseInt(fields[2], 10, 64); err != nil || f.Size < 0 {
		return SourceFile{}, fmt.Errorf("size %q", fields[2])
	}
	sum, ok := strings.CutPrefix(fields[3], "SHA256:")
	if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size {
		return SourceFile{}, fmt.Errorf("checksum %q is no SHA-256", fields[3])
	}
	f.SHA256 = strings.ToLower(sum)
	if f.Name != filepath.Base(f.Name) || strings.HasPrefix(f.Name, ".") {
		return SourceFile{}, fmt.Errorf("file name %q", f.Name)
	}
	return f, nil
}

// record is sources.json, or that of another series: what was resolved, and so what a build is made of.
type record struct {
	Suite   string   `json:"suite"`
	Sources []Source `json:"sources"`
}

// load returns the sources last resolved, or none where those were of another
// suite or of other packages.
func (s store) load(names []string, suffix string) ([]Source, error) {
	path := s.path("sources" + suffix + ".json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading %q: %w", path, err)
	}
	same := slices.EqualFunc(r.Sources, names, func(s Source, name string) bool { return s.Name == name })
	if r.Suite != suite || !same {
		return nil, nil
	}
	return r.Sources, nil
}

func (s store) save(sources []Source, suffix string) error {
	data, err := json.MarshalIndent(record{suite, sources}, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(s.path("sources"+suffix+".json"), append(data, '\n'), 0o644)
}
