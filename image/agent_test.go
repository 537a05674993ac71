package image_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// goProgram builds a static program that says text.
func goProgram(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	source := "package main\n\nfunc main() { println(\"" + text + "\") }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", "build", "-o", "program", "main.go")
	c.Dir, c.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "program")
}

func agentOf(t *testing.T, path string) image.Image {
	t.Helper()
	p, err := image.ReadProgram(path, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	p.Version = "v1.2.3"
	img, err := image.BuildAgent(t.Context(), image.AgentSpec{Program: p, Labels: map[string]string{"team": "iot"}})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestBuildAgent(t *testing.T) {
	file := goProgram(t, "hello")
	img := agentOf(t, file)
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	if digest(t, img) != digest(t, agentOf(t, file)) {
		t.Error("built twice, it differs")
	}
	if digest(t, img) == digest(t, agentOf(t, goProgram(t, "goodbye"))) {
		t.Error("another program gives the same image")
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := cf.Config
	if c.User != "1883:0" || !slices.Equal(c.Entrypoint, []string{"/usr/bin/mosqagent"}) || c.Cmd != nil || cf.Architecture != "amd64" {
		t.Errorf("it runs %+v", c)
	}
	if c.Labels["version"] != "v1.2.3" || c.Labels["name"] != "mosquitto-agent" || c.Labels["team"] != "iot" {
		t.Errorf("labels %v", c.Labels)
	}
	content := mutate.Extract(img)
	defer content.Close()
	found := map[string]int64{}
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		found["/"+strings.Trim(h.Name, "/")] = h.Mode
		if h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 0 {
			t.Errorf("%s belongs to %d:%d and is of %v", h.Name, h.Uid, h.Gid, h.ModTime)
		}
	}
	for name, mode := range found {
		switch {
		case name == "/usr/bin/mosqagent":
			if mode != 0o755 {
				t.Errorf("the program has mode %o", mode)
			}
		case name == "/etc/passwd", name == "/etc/group", name == sbomPath, strings.HasPrefix(name, "/licenses/"):
		default:
			t.Errorf("there is %s", name)
		}
	}
	if _, there := found["/usr/bin/mosqagent"]; !there || len(found) < 5 || found[sbomPath] == 0 {
		t.Errorf("it holds %v", found)
	}
}

// What the agents' image may take, compressed.
const agentMost = 12_000_000

func TestAgentSize(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it builds mosqagent")
	}
	if _, err := os.Stat("../cmd/mosqagent/main.go"); err != nil {
		t.Skipf("there is no mosqagent: %v", err)
	}
	out := filepath.Join(t.TempDir(), "mosqagent")
	c := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "../cmd/mosqagent")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if text, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	size, err := image.Size(agentOf(t, out))
	if err != nil || size > agentMost {
		t.Errorf("the image takes %d bytes compressed, want %d at most: %v", size, agentMost, err)
	}
	t.Logf("%.2f MB", float64(size)/1e6)
}

func TestReadProgramRefuses(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	static := goProgram(t, "hello")
	for name, c := range map[string]struct{ path, arch, want string }{
		"none":     {filepath.Join(t.TempDir(), "none"), "amd64", "no such file"},
		"a script": {script, "amd64", "no ELF executable"},
		"foreign":  {static, "arm64", "not for arm64"},
		"a loader": {"/bin/ls", runtime.GOARCH, "linked dynamically"},
	} {
		_, err := image.ReadProgram(c.path, c.arch)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
		if name != "none" && (!strings.Contains(fault.HintOf(err), "CGO_ENABLED=0") || fault.CodeOf(err) != fault.Usage) {
			t.Errorf("%s: hint %q, code %v", name, fault.HintOf(err), fault.CodeOf(err))
		}
	}
}

func TestAgentReference(t *testing.T) {
	for ref, want := range map[string]string{
		"quay.io/me/m:2.0": "quay.io/me/m-agent:2.0", "localhost:5000/m": "localhost:5000/m-agent", "r.example:5000/m:1@sha256:0": "r.example:5000/m-agent:1",
		"r.example/m@sha256:0": "r.example/m-agent", "m": "m-agent",
	} {
		if got := image.AgentReference(ref); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
}
