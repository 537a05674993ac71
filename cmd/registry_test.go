package cmd

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestLoginFilesAreThoseOfPodmanAndDocker(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{
		"REGISTRY_AUTH_FILE": "", "DOCKER_CONFIG": "", "HOME": "/home/me",
		"XDG_CONFIG_HOME": "/conf", "XDG_RUNTIME_DIR": "/run/user/1",
	} {
		t.Setenv(name, value)
	}
	got, err := loginFiles("")
	want := []string{"/run/user/1/containers/auth.json", "/run/user/1/auth.json", "/conf/containers/auth.json", "/home/me/.docker/config.json"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("files = %v, %v, want %v", got, err, want)
	}
	mine := filepath.Join(dir, "auth.json")
	t.Setenv("REGISTRY_AUTH_FILE", mine)
	if _, err := loginFiles(""); fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "podman login --authfile "+mine) {
		t.Errorf("with a file that is missing: %v, hint %q", err, fault.HintOf(err))
	}
	if err := os.WriteFile(mine, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := loginFiles(""); err != nil || !slices.Equal(got, []string{mine}) {
		t.Errorf("with REGISTRY_AUTH_FILE: %v, %v", got, err)
	}
	if _, err := loginFiles("/nowhere"); fault.CodeOf(err) != fault.Usage {
		t.Errorf("with --authfile of nothing: %v", err)
	}
}

func TestCheckListed(t *testing.T) {
	one := []image.AttestedSBOM{{Digest: "sha256:aa"}}
	for want, v := range map[string]image.Verified{
		"":                       {Digest: "sha256:aa", SBOMs: one},
		"by this key: sha256:aa": {Digest: "sha256:aa"},
		": sha256:bb, sha256:cc": {Digest: "sha256:aa", SBOMs: one, Unlisted: []string{"sha256:bb", "sha256:cc"}},
	} {
		if err := checkListed("x", v); (err == nil) != (want == "") || err != nil && (!strings.HasSuffix(err.Error(), want) || fault.CodeOf(err) != fault.Refused) {
			t.Errorf("%+v: %v, want %q", v, err, want)
		}
	}
}

func TestPushNotes(t *testing.T) {
	for _, c := range []struct {
		ref   string
		p     image.Pushed
		wants []string
	}{
		{"localhost:5000/m", image.Pushed{SBOM: "sha256:cc"}, nil},
		{"localhost:5000/m", image.Pushed{}, []string{"no SBOM is attached"}},
		{"registry.example.com/m", image.Pushed{DefaultsLeftOut: true, Built: "sha256:aa", Digest: "sha256:bb"}, []string{"left out", "sha256:aa", "sha256:bb", "--with-test-credentials"}},
		{"quay.io/example/m", image.Pushed{}, []string{"private", "--pull-secret NAME"}},
	} {
		var said strings.Builder
		a := &app{Out: io.Discard, Err: &said, Quiet: true}
		a.pushNotes(c.ref, c.p)
		if (said.Len() == 0) != (c.wants == nil) {
			t.Errorf("%s: said %q", c.ref, said.String())
		}
		for _, want := range c.wants {
			if !strings.Contains(said.String(), want) {
				t.Errorf("%s: said %q, want %q in it", c.ref, said.String(), want)
			}
		}
	}
}
