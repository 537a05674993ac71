// Package need says what a test needs of the machine. A test whose need isn't
// met is skipped with the reason; where MOSQBUILD_REQUIRE is set, as in CI, it
// fails, so that no suite can pass by not running.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program needs each named program on the PATH or in the system folders.
func Program(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			Unmet(t, "%s is not installed", name)
		}
	}
}

// Root needs uid 0.
func Root(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		Unmet(t, "this needs root")
	}
}

// File needs an environment variable that names a file, and returns the name.
// It skips even in CI: the file is one that nobody can install.
func File(t testing.TB, variable, what string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("skipped: %s is unset; it names %s", variable, what)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return path
}

// Unmet skips t for the reason given, or fails it where MOSQBUILD_REQUIRE is set.
func Unmet(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("MOSQBUILD_REQUIRE") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf("skipped: "+format, args...)
}
