package image

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

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

// machine is what ELF says of an architecture.
type machine struct {
	elf.Machine
	elf.Class
	elf.Data
}

// machines are by Go's names, without the variants of ARM.
var machines = map[string]machine{
	"386":     {elf.EM_386, elf.ELFCLASS32, elf.ELFDATA2LSB},
	"amd64":   {elf.EM_X86_64, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"arm":     {elf.EM_ARM, elf.ELFCLASS32, elf.ELFDATA2LSB},
	"arm64":   {elf.EM_AARCH64, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"loong64": {elf.EM_LOONGARCH, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"ppc64le": {elf.EM_PPC64, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"riscv64": {elf.EM_RISCV, elf.ELFCLASS64, elf.ELFDATA2LSB},
	"s390x":   {elf.EM_S390, elf.ELFCLASS64, elf.ELFDATA2MSB},
}

// ReadProgram reads the executable in the file path and checks that it runs by
// itself in an image of arch, Go's name with the variant of a 32-bit ARM: an ELF
// executable of that machine that asks for no loader, and so for no library.
// Where it is a Go program for ARM, it may be for an older one.
func ReadProgram(path, arch string) (Program, error) {
	p, err := readProgram(path, arch)
	if err != nil {
		return Program{}, fmt.Errorf("reading the program %q: %w", path, err)
	}
	return p, nil
}

func readProgram(path, arch string) (Program, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Program{}, err
	}
	if err := checkStatic(data, arch); err != nil {
		return Program{}, unfit(err, arch)
	}
	p := Program{Data: data}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return p, nil // no Go program says nothing
	}
	p.Version, p.goVersion = info.Main.Version, info.GoVersion
	p.modules = append([]*debug.Module{&info.Main}, info.Deps...)
	for _, s := range info.Settings {
		// A digit, and how it does floating point, such as "7,softfloat".
		if _, variant, _ := strings.Cut(arch, "/"); s.Key == "GOARM" && variant != "" && "v"+s.Value[:min(1, len(s.Value))] > variant {
			return Program{}, unfit(fmt.Errorf("it is for arm/v%s, not for %s", s.Value, arch), arch)
		}
	}
	return p, nil
}

func checkStatic(data []byte, arch string) error {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("it is no ELF executable: %w", err)
	}
	name, _, _ := strings.Cut(arch, "/")
	if is := (machine{f.Machine, f.Class, f.Data}); machines[name] != is {
		return fmt.Errorf("it is for %s, not for %s", f.Machine, arch)
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return fmt.Errorf("it is no executable, but %s", f.Type)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is linked dynamically, and the image has no loader")
		}
	}
	return nil
}

// unfit says how to build what fits.
func unfit(err error, arch string) error {
	goarch, variant, _ := strings.Cut(arch, "/")
	if variant != "" {
		goarch += " GOARM=" + strings.TrimPrefix(variant, "v")
	}
	return fault.With(fault.Usage, fault.Hint(err, "build it with: CGO_ENABLED=0 GOOS=linux GOARCH=%s go build ./cmd/mosqagent", goarch))
}
