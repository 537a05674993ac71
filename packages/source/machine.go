package source

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// machine is an architecture that packages can be made for.
type machine struct {
	goName  string // Go's name, which platforms of images go by
	apk     string // apk's
	triplet string // GNU's, by which Debian names its compilers
	debs    string // Debian's, with dashes, as in package names
	linux   string // Debian's, as in the package of the kernel's headers
	flags   string // of its compiler, each after a space
}

var machines = []machine{
	{"amd64", "x86_64", "x86_64-linux-gnu", "x86-64-linux-gnu", "amd64", ""},
	// Debian's libgcc takes what its atomic operations go by from glibc.
	{"arm64", "aarch64", "aarch64-linux-gnu", "aarch64-linux-gnu", "arm64", " -mno-outline-atomics"},
}

// machineFor returns the architecture that Go calls arch, "" being this
// machine's own.
func machineFor(arch string) (machine, error) {
	arch = cmp.Or(arch, runtime.GOARCH)
	for _, m := range machines {
		if m.goName == arch {
			return m, nil
		}
	}
	return machine{}, fmt.Errorf("building for %q: only amd64 and arm64 are known", arch)
}

// foreign reports whether it takes a cross compiler to build for m.
func (m machine) foreign() bool { return m.goName != runtime.GOARCH }

// wrapped reports whether recipes call m's tools by way of scripts.
func (m machine) wrapped() bool { return m.foreign() || m.flags != "" }

// crossTools are what recipes call that differs between architectures.
var crossTools = []string{"gcc", "ar", "as", "ld", "nm", "objcopy", "ranlib", "strip"}

// headers is where a cross compiler's package of the kernel's headers has them.
func (m machine) headers() string { return "/usr/" + m.triplet + "/include" }

// tools is what a cross build calls or reads beyond a native one.
func (m machine) tools() []tool {
	if !m.foreign() {
		return nil
	}
	return []tool{
		{m.triplet + "-gcc", "gcc-" + m.debs},
		{m.triplet + "-ld", "binutils-" + m.debs},
		{m.headers() + "/linux/mman.h", "linux-libc-dev-" + m.linux + "-cross"},
	}
}

// wrapper is the script that stands for a tool of m in dir.
//
// The kernel's headers are searched after musl's and never with glibc's, which
// may be beside them. Recipes ask for the machine's own by a path that a cross
// compiler's aren't at.
func (m machine) wrapper(dir, tool string) string {
	flags := ""
	if tool == "gcc" && m.foreign() {
		flags = fmt.Sprintf(" -idirafter %q", filepath.Join(dir, "include"))
	}
	if tool == "gcc" {
		flags += m.flags
	}
	return fmt.Sprintf("#!/bin/sh\nexec %s-%s%s \"$@\"\n", m.triplet, tool, flags)
}

// equip makes dir a folder of m's tools under their plain names, so that a
// recipe which has it first in PATH is the same for every architecture.
func (m machine) equip(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "include"), 0o755); err != nil {
		return err
	}
	for _, name := range crossTools {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(m.wrapper(dir, name)), 0o755); err != nil {
			return err
		}
	}
	if !m.foreign() {
		return nil // the machine's own headers are where recipes look
	}
	for _, name := range []string{"linux", "asm", "asm-generic"} {
		if err := os.Symlink(filepath.Join(m.headers(), name), filepath.Join(dir, "include", name)); err != nil {
			return err
		}
	}
	return nil
}

// toolchain describes all on this machine that decides what comes out of the
// compiler for m.
func (m machine) toolchain(ctx context.Context) (string, error) {
	prefix, headers := "", []string{"/usr/include/linux/version.h"}
	if m.foreign() {
		prefix, headers = m.triplet+"-", append(headers, m.headers()+"/linux/version.h")
	}
	var out bytes.Buffer
	for _, call := range [][]string{{"gcc", "--version"}, {"gcc", "-dumpmachine"}, {"ld", "--version"}} {
		c := command(ctx, "/", &out, prefix+call[0], call[1:]...)
		if err := c.Run(); err != nil {
			return "", fmt.Errorf("asking %s for its version: %w", prefix+call[0], err)
		}
	}
	for _, path := range headers {
		version, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("asking for the version of the kernel's headers: %w", err)
		}
		out.Write(version)
	}
	if m.wrapped() {
		out.WriteString(m.wrapper("", "gcc"))
	}
	return out.String(), nil
}
