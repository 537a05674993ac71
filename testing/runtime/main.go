// Command runtime is an OCI runtime for podman on machines where podman's own
// can't work: without CAP_SYS_RESOURCE nobody may raise a resource limit, and
// podman asks for that in every container. It empties the limits in the
// container's configuration and becomes runc.
//
// As "runtime --configure DIR" it instead writes a configuration for podman
// below DIR that names this program and keeps podman's storage there, and
// prints the shell commands that put it to use:
//
//	go build -o DIR/runtime ./testing/runtime && eval "$(DIR/runtime --configure DIR)"
//
// It belongs to the tests and to the demonstration; the product runs podman as
// the user has it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mosqbuild/mosqbuild/testing/podmantest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "runtime:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "--configure" {
		return configure(args[1])
	}
	if bundle, ok := option(args, "--bundle", "-b"); ok {
		if err := edit(filepath.Join(bundle, "config.json"), "process"); err != nil {
			return err
		}
	}
	if process, ok := option(args, "--process", "-p"); ok {
		if err := edit(process); err != nil {
			return err
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		runc = "/usr/sbin/runc" // podman's PATH for it may lack sbin
	}
	return fmt.Errorf("becoming %s: %w", runc, syscall.Exec(runc, append([]string{runc}, args...), os.Environ()))
}

func configure(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	vars, err := podmantest.Configure(dir, self)
	if err != nil {
		return err
	}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		fmt.Printf("export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	return nil
}

// option returns the value of a runtime's flag: "--name value", "--name=value".
func option(args []string, names ...string) (string, bool) {
	for i, a := range args {
		for _, n := range names {
			if a == n && i+1 < len(args) {
				return args[i+1], true
			}
			if v, ok := strings.CutPrefix(a, n+"="); ok {
				return v, true
			}
		}
	}
	return "", false
}

// edit takes "rlimits" out of the object at the keys in the file's JSON, and
// leaves everything else as it is.
func edit(path string, keys ...string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if data, err = withoutLimits(data, keys); err != nil {
		return fmt.Errorf("reading %q: %w", path, err)
	}
	return os.WriteFile(path, data, 0o600)
}

func withoutLimits(data []byte, keys []string) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		delete(object, "rlimits")
		return json.Marshal(object)
	}
	inner, err := withoutLimits(object[keys[0]], keys[1:])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keys[0], err)
	}
	object[keys[0]] = inner
	return json.Marshal(object)
}
