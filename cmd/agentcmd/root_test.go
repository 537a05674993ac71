package agentcmd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestWrongCommandLines(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "agent.json")
	if err := os.WriteFile(settings, []byte(`{"name":"x","replicas":"many"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"wrong":               "unknown command",
		"guard --role x":      "requires at least 1 arg",
		"guard --role x -- y": `"x\" is neither`,
		"guard --role primary --config /missing -- y":         "check --config",
		"guard --role primary --config " + settings + " -- y": "replicas",
		"probe extra":   "unknown command",
		"probe --wrong": "--help",
		"install":       "accepts 1 arg",
	} {
		var out, errOut bytes.Buffer
		code := Main(t.Context(), strings.Fields(line), &out, &errOut)
		if fault.Code(code) != fault.Usage || !strings.Contains(errOut.String(), want) || out.Len() > 0 {
			t.Errorf("%s: %d, %s%s", line, code, out.String(), errOut.String())
		}
	}
}

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // the second time over the first
		var errOut bytes.Buffer
		if code := Main(t.Context(), []string{"install", dir}, &errOut, &errOut); code != 0 {
			t.Fatalf("%d: %s", code, errOut.String())
		}
	}
	path := filepath.Join(dir, "mosqagent")
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o755 {
		t.Fatalf("%v, %v", info, err)
	}
	if out, err := exec.Command(path, "-test.list=^TestInstall$").Output(); err != nil || !strings.HasPrefix(string(out), "TestInstall") {
		t.Errorf("it isn't this program: %v: %s", err, out)
	}
	var errOut bytes.Buffer
	if code := Main(t.Context(), []string{"install", filepath.Join(dir, "missing")}, &errOut, &errOut); code != 1 || !strings.Contains(errOut.String(), `"hint"`) {
		t.Errorf("a missing folder: %d, %s", code, errOut.String())
	}
}
