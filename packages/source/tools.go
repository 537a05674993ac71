package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// needed is what a build calls or reads, and the Debian package it is in.
var needed = []struct{ path, pkg string }{
	{"apt-get", "apt"}, {"dpkg-source", "dpkg-dev"}, {"gcc", "gcc"}, {"ld", "binutils"}, {"make", "make"},
	{"patch", "patch"}, {"perl", "perl"}, {"strip", "binutils"}, {"xz", "xz-utils"},
	{"/usr/include/linux/mman.h", "linux-libc-dev"},
}

// checkTools reports all that is missing in one error.
func checkTools(find func(path string) bool) error {
	var missing, pkgs []string
	for _, n := range needed {
		if find(n.path) {
			continue
		}
		missing = append(missing, n.path)
		if !strings.Contains(" "+strings.Join(pkgs, " ")+" ", " "+n.pkg+" ") {
			pkgs = append(pkgs, n.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	err := fmt.Errorf("missing on this machine: %s", strings.Join(missing, ", "))
	if !find("apt-get") {
		return fault.Hint(errors.Join(err, errors.New("sources come through apt, which Debian and its relatives have")),
			"build on such a machine and give the folder to: mosqbuild image build --repository")
	}
	return fault.Hint(err, "run: apt-get install --no-install-recommends %s", strings.Join(pkgs, " "))
}

// present reports whether the machine has a tool or, for a path, a file.
func present(path string) bool {
	if strings.HasPrefix(path, "/") {
		_, err := os.Stat(path)
		return err == nil
	}
	return lookup(path) != ""
}

// architecture returns apk's name of this machine's architecture.
func architecture() (string, error) {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64", nil
	case "arm64":
		return "aarch64", nil
	}
	return "", fmt.Errorf("this machine is %s: only amd64 and arm64 are known", runtime.GOARCH)
}

// toolchain describes all of the machine that decides what comes out of the
// compiler.
func toolchain(ctx context.Context) (string, error) {
	var out bytes.Buffer
	for _, call := range [][]string{{"gcc", "--version"}, {"gcc", "-dumpmachine"}, {"ld", "--version"}} {
		c := command(ctx, "/", &out, call[0], call[1:]...)
		if err := c.Run(); err != nil {
			return "", fmt.Errorf("asking %s for its version: %w", call[0], err)
		}
	}
	kernel, err := os.ReadFile("/usr/include/linux/version.h")
	if err != nil {
		return "", fmt.Errorf("asking for the version of the kernel's headers: %w", err)
	}
	return out.String() + string(kernel), nil
}
