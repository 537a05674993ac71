// Package testing_test runs mosqbuild as a user would: the scripts here need
// no other program, the suites in the folders below need real ones.
package testing_test

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mosqbuild/mosqbuild/cmd"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mosqbuild": func() {
			os.Exit(cmd.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "script",
		WorkdirRoot:         t.TempDir(), // of what it makes in TMPDIR, a folder stays
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands,
		Setup: func(e *testscript.Env) error {
			// HOME is testscript's own; the user's cache and keys stay out of it.
			e.Setenv("XDG_CACHE_HOME", e.WorkDir+"/.cache")
			e.Setenv("XDG_CONFIG_HOME", e.WorkDir+"/.config")
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
	})
}
