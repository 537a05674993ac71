package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Stdin is the path that stands for standard input, and the name it has in
// findings.
const (
	Stdin     = "-"
	stdinName = "<stdin>"
)

// maxInput is the size in bytes of the biggest file that is read.
const maxInput = 32 << 20

// Input is one file to check.
type Input struct {
	Name string // as findings shall name it; files it refers to are looked for beside it
	Data []byte
	// Walked tells that nobody named the file, so that it may be none of ours.
	Walked bool
}

// Read reads the files named, "-" being stdin, and of folders, however deep,
// what ends in .yaml, .yml or .conf and each Containerfile and Dockerfile.
// Hidden folders are left out.
func Read(paths []string, stdin io.Reader) ([]Input, error) {
	var inputs []Input
	var problems []error
	for _, path := range paths {
		read, err := readPath(path, stdin)
		inputs = append(inputs, read...)
		if err != nil {
			problems = append(problems, err)
		}
	}
	return inputs, errors.Join(problems...)
}

func readPath(path string, stdin io.Reader) ([]Input, error) {
	if path == Stdin {
		data, err := readAll(stdin)
		if err != nil {
			err = fmt.Errorf("reading standard input: %w", err)
		}
		return []Input{{Name: stdinName, Data: data}}, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return readFolder(path)
	}
	data, err := readFile(path)
	return []Input{{Name: path, Data: data}}, err
}

func readFolder(dir string) ([]Input, error) {
	var inputs []Input
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir() || !walks(d.Name()):
			return nil
		}
		data, err := readFile(path)
		inputs = append(inputs, Input{Name: path, Data: data, Walked: true})
		return err
	})
	if err == nil && len(inputs) == 0 {
		err = fault.Hint(fmt.Errorf("no file to check in %q", dir), "name the files: of a folder it takes *.yaml, *.yml, *.conf, Containerfile and Dockerfile")
	}
	return inputs, err
}

func walks(name string) bool {
	k := kindByName(name)
	return k == isConf || k == isContainerfile || k == isYAML && !strings.HasSuffix(name, ".json")
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := readAll(f)
	if err != nil {
		err = fmt.Errorf("reading %q: %w", path, err)
	}
	return data, errors.Join(err, f.Close())
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = fmt.Errorf("more than %d MiB", maxInput>>20)
	}
	return data, err
}

// inputKind is what a file is.
type inputKind int

const (
	isUnknown inputKind = iota
	isYAML
	isConf
	isContainerfile
	isScript
	isPEM
	isACL // which nothing is known to be wrong with
)

func kindByName(name string) inputKind {
	base := strings.ToLower(filepath.Base(name))
	switch ext := filepath.Ext(base); {
	case ext == ".yaml" || ext == ".yml" || ext == ".json":
		return isYAML
	case ext == ".conf":
		return isConf
	case ext == ".sh":
		return isScript
	case ext == ".containerfile" || ext == ".dockerfile":
		return isContainerfile
	}
	if stem, _, _ := strings.Cut(base, "."); stem == "containerfile" || stem == "dockerfile" {
		return isContainerfile
	}
	return isUnknown
}

var (
	yamlStart      = regexp.MustCompile(`(?m)^(apiVersion|kind):|^\s*\{`)
	containerStart = regexp.MustCompile(`(?i)^(\s*#[^\n]*\n|\s*\n)*\s*(FROM|ARG)\s`)
)

// kindOf recognises an input by its name, and where that says nothing, by what
// is in it.
func kindOf(in Input) inputKind {
	k := kindByName(in.Name)
	switch {
	case (k == isConf || k == isUnknown) && looksLikeACL(string(in.Data)):
		return isACL
	case bytes.Contains(in.Data, []byte("-----BEGIN ")) && k == isUnknown && bytes.HasPrefix(bytes.TrimSpace(in.Data), []byte("-----")):
		return isPEM
	case k == isConf && in.Walked && !looksLikeConf(string(in.Data)):
		return isUnknown
	case k != isUnknown:
		return k
	case bytes.HasPrefix(in.Data, []byte("#!")):
		return isScript
	case containerStart.Match(in.Data):
		return isContainerfile
	case yamlStart.Match(in.Data):
		return isYAML
	case looksLikeConf(string(in.Data)):
		return isConf
	}
	return isUnknown
}

// looksLikeConf tells whether most lines are options of mosquitto.conf.
func looksLikeConf(data string) bool {
	if looksLikeACL(data) {
		return false
	}
	known, all := 0, 0
	for _, d := range parseConf(data, func(int) place { return place{} }).directives {
		all++
		if optionSince(d.key) != "" {
			known++
		}
	}
	return known > 0 && 2*known > all
}

// looksLikeACL tells whether all lines are of an acl_file. A mosquitto.conf may
// have a user and topics, too, but never alone.
func looksLikeACL(data string) bool {
	topics := 0
	for _, d := range parseConf(data, func(int) place { return place{} }).directives {
		switch d.key {
		case "topic", "pattern":
			topics++
		case "user":
		default:
			return false
		}
	}
	return topics > 0
}
