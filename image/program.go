package image

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Program is an executable that an image consists of.
type Program struct {
	// Version is what it was built from; "" where it doesn't say.
	Version string
	// Data are its bytes.
	Data []byte

	goVersion string          // such as "go1.26.8"; "" for no Go program
	modules   []*debug.Module // its own first
}

// machines are ELF's names of architectures, by Go's.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// ReadProgram reads the executable in the file path and checks that it runs by
// itself in an image of arch, Go's name: an ELF executable of that machine that
// asks for no loader, and so for no library.
func ReadProgram(path, arch string) (Program, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		err = checkStatic(data, arch)
	}
	if err != nil {
		return Program{}, fmt.Errorf("reading the program %q: %w", path, err)
	}
	p := Program{Data: data}
	if info, err := buildinfo.Read(bytes.NewReader(data)); err == nil { // no Go program says nothing
		p.Version, p.goVersion = info.Main.Version, info.GoVersion
		p.modules = append([]*debug.Module{&info.Main}, info.Deps...)
	}
	return p, nil
}

func checkStatic(data []byte, arch string) error {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return notStatic(fmt.Errorf("it is no ELF executable: %w", err))
	}
	if want, known := machines[arch]; !known || f.Machine != want || f.Class != elf.ELFCLASS64 {
		return notStatic(fmt.Errorf("it is for %s, not for %s", f.Machine, arch))
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return notStatic(fmt.Errorf("it is no executable, but %s", f.Type))
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return notStatic(errors.New("it is linked dynamically, and the image has no loader"))
		}
	}
	return nil
}

func notStatic(err error) error {
	return fault.With(fault.Usage, fault.Hint(err, "build it with: CGO_ENABLED=0 GOOS=linux go build ./cmd/mosqagent"))
}
