package source

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// tool is a program, or the path of a file, and the Debian package it is in.
type tool struct{ path, pkg string }

// needed is what every build calls or reads.
var needed = []tool{
	{"apt-get", "apt"}, {"dpkg-source", "dpkg-dev"}, {"gcc", "gcc"}, {"ld", "binutils"}, {"make", "make"},
	{"patch", "patch"}, {"perl", "perl"}, {"strip", "binutils"}, {"xz", "xz-utils"},
	{"/usr/include/linux/mman.h", "linux-libc-dev"},
	{"/usr/include/stdio.h", "libc6-dev"}, // for what busybox builds itself with
}

// checkTools reports all that is missing for a build for m in one error.
func checkTools(m machine, find func(path string) bool) error {
	var missing, pkgs []string
	for _, n := range slices.Concat(needed, m.tools()) {
		if find(n.path) {
			continue
		}
		missing = append(missing, n.path)
		if !slices.Contains(pkgs, n.pkg) {
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
