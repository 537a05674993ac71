package image_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// foreignProgram is as much of an executable for another machine as is looked
// at: its headers, and where goarm is given what the Go linker writes of it.
// Compiling one takes Go's library compiled for that machine.
func foreignProgram(t testing.TB, machine elf.Machine, class elf.Class, data elf.Data, goarm string) string {
	t.Helper()
	var order binary.ByteOrder = binary.LittleEndian
	if data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	ident := [elf.EI_NIDENT]byte{'\x7f', 'E', 'L', 'F', byte(class), byte(data), byte(elf.EV_CURRENT)}
	var b bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&b, order, v); err != nil {
			t.Fatal(err)
		}
	}
	if class == elf.ELFCLASS64 {
		put(elf.Header64{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Ehsize: 64})
	} else {
		info := buildInfo(goarm)
		put(elf.Header32{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Ehsize: 52, Phoff: 52, Phentsize: 32, Phnum: 1})
		put(elf.Prog32{Type: uint32(elf.PT_LOAD), Off: 96, Vaddr: 0x10000, Filesz: uint32(len(info)), Memsz: uint32(len(info)), Flags: uint32(elf.PF_R | elf.PF_W)})
		b.Write(make([]byte, 96-b.Len()))
		b.Write(info)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, b.Bytes(), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// buildInfo is what debug/buildinfo reads, of a program built with GOARM.
func buildInfo(goarm string) []byte {
	guard := strings.Repeat("x", 16)
	said := []string{"go1.26.0", guard + "path\tmosqagent\nmod\tmosqagent\tv1.2.3\t\nbuild\tGOARM=" + goarm + "\n" + guard}
	info := make([]byte, 32)
	copy(info, "\xff Go buildinf:\x04\x02")
	for _, s := range said {
		info = append(binary.AppendUvarint(info, uint64(len(s))), s...)
	}
	return info
}

func TestProgramsForOtherPlatforms(t *testing.T) {
	lsb, msb, c32, c64 := elf.ELFDATA2LSB, elf.ELFDATA2MSB, elf.ELFCLASS32, elf.ELFCLASS64
	for _, c := range []struct {
		machine elf.Machine
		class   elf.Class
		data    elf.Data
		goarm   string
		fits    string // architectures
	}{
		{elf.EM_386, c32, lsb, "", "386"},
		{elf.EM_X86_64, c64, lsb, "", "amd64"},
		{elf.EM_AARCH64, c64, lsb, "", "arm64"},
		{elf.EM_LOONGARCH, c64, lsb, "", "loong64"},
		{elf.EM_PPC64, c64, lsb, "", "ppc64le"},
		{elf.EM_PPC64, c64, msb, "", ""},
		{elf.EM_RISCV, c64, lsb, "", "riscv64"},
		{elf.EM_S390, c64, msb, "", "s390x"},
		// A program for an older ARM runs on a newer one.
		{elf.EM_ARM, c32, lsb, "5", "arm/v6 arm/v7"},
		{elf.EM_ARM, c32, lsb, "6", "arm/v6 arm/v7"},
		{elf.EM_ARM, c32, lsb, "7,softfloat", "arm/v7"},
	} {
		path := foreignProgram(t, c.machine, c.class, c.data, c.goarm)
		for _, arch := range []string{"386", "amd64", "arm/v6", "arm/v7", "arm64", "loong64", "ppc64le", "riscv64", "s390x"} {
			p, err := image.ReadProgram(path, arch)
			if fits := strings.Contains(" "+c.fits+" ", " "+arch+" "); fits != (err == nil) {
				t.Errorf("%s %s %s in an image for %s: %v, want it to fit: %v", c.machine, c.data, c.goarm, arch, err, fits)
			}
			if hint, want := fault.HintOf(err), "GOARCH="+strings.ReplaceAll(arch, "/v", " GOARM=")+" go build"; err != nil && !strings.Contains(hint, want) {
				t.Errorf("hint %q, want %q in it", hint, want)
			}
			if err == nil {
				checkAgent(t, p, arch)
			}
		}
	}
}

func checkAgent(t *testing.T, p image.Program, arch string) {
	t.Helper()
	img, err := image.BuildAgent(t.Context(), image.AgentSpec{Program: p, Arch: arch})
	if err != nil {
		t.Fatal(err)
	}
	if cf, err := img.ConfigFile(); err != nil || strings.TrimSuffix(cf.Architecture+"/"+cf.Variant, "/") != arch {
		t.Errorf("the image is for %s/%s, %v, want %s", cf.Architecture, cf.Variant, err, arch)
	}
}
