package cmd

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// programFor is the header of a static executable, which is all that is looked
// at of a program that isn't Go's.
func programFor(t *testing.T, machine elf.Machine) string {
	t.Helper()
	var b bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Ehsize: 64}
	copy(h.Ident[:], []byte{'\x7f', 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)})
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), machine.String())
	if err := os.WriteFile(path, b.Bytes(), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// Of the programs named, each platform gets the one that was built for it.
func TestAgentProgramOfEachPlatform(t *testing.T) {
	named := component{Name: componentAgent, Programs: []string{programFor(t, elf.EM_X86_64), programFor(t, elf.EM_AARCH64)}}
	for i, arch := range []string{"amd64", "arm64"} {
		p, err := named.program(arch)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := os.ReadFile(named.Programs[i]); err != nil || !bytes.Equal(p.Data, want) {
			t.Errorf("%s: another program, %v", arch, err)
		}
	}
	_, err := named.program("riscv64")
	if fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "it is for EM_AARCH64, not for riscv64") || !strings.Contains(fault.HintOf(err), "GOARCH=riscv64") {
		t.Errorf("for none of them: %v, hint %q", err, fault.HintOf(err))
	}
	_, err = component{Name: componentAgent}.program("arm/v7")
	if hint := fault.HintOf(err); !strings.Contains(hint, "GOARCH=arm GOARM=7 go build -o mosqagent-arm-v7 ./cmd/mosqagent && mosqbuild image build --component agent --platform linux/arm/v7 --agent ./mosqagent-arm-v7") {
		t.Errorf("none beside this program: %v, hint %q", err, hint)
	}
}
