package need

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Variables that let Peer build what isn't in the cache yet.
const (
	Peers     = "MOSQBUILD_TEST_PEERS"      // each a minute or two
	SlowPeers = "MOSQBUILD_TEST_SLOW_PEERS" // each many minutes: cosign, syft
)

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// Peer returns another tool's program, built once into the user's cache from its
// module, PACKAGE@VERSION. Where it isn't there, and the variable isn't 1, t is
// skipped, even in CI.
func Peer(t testing.TB, module, variable string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "mosqbuild", "peers", strings.ReplaceAll(module, "/", "_"))
	name, _, _ := strings.Cut(module, "@")
	if majorVersion.MatchString(path.Base(name)) {
		name = path.Dir(name)
	}
	program := filepath.Join(dir, path.Base(name))
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if os.Getenv(variable) != "1" {
		t.Skipf("skipped: %s isn't at %s; %s=1 builds it there, which takes minutes and the network", module, program, variable)
	}
	var said string
	for try := range 3 { // a proxy of modules may not answer
		time.Sleep(time.Duration(try) * 10 * time.Second)
		install := exec.CommandContext(t.Context(), "go", "install", "-trimpath", module)
		install.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+dir, "GOFLAGS=")
		out, err := install.CombinedOutput()
		if err == nil {
			return program
		}
		said = fmt.Sprintf("%v\n%s", err, out)
	}
	t.Fatalf("installing %s: %s", module, said)
	return ""
}
