package e2e_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

func TestSecretsStandInTheDefaultsLayerAlone(t *testing.T) {
	need.Program(t, "skopeo")
	localPackages(t)
	dir := t.TempDir()
	mosqbuild(t, dir, "image", "build", "--local", "-o", "oci-archive:image.tar")
	run(t, dir, "skopeo", "copy", "-q", "oci-archive:image.tar", "dir:copy")
	found := secretsIn(t, filepath.Join(dir, "copy"), dir)
	last := run(t, dir, "skopeo", "inspect", "--format", "{{index .Layers 2}}", "dir:copy")
	where := map[string]bool{}
	for what, file := range found {
		where[file] = true
		if "sha256:"+file != last {
			t.Errorf("%s stands in %s, not in the defaults layer alone", what, file)
		}
	}
	if len(where) != 1 {
		t.Errorf("secrets stand in %v, want the defaults layer", where)
	}
}

// secretsIn looks for the keys and passwords of dir's state in every file of
// an image that skopeo copied to a folder: manifest, config with its history
// and labels, and the content of layers. It returns where each was found.
func secretsIn(t *testing.T, image, dir string) map[string]string {
	t.Helper()
	secrets := map[string]string{"a private key": "PRIVATE KEY-----"}
	for _, line := range strings.Fields(read(t, dir, ".mosqbuild/passwd")) {
		user, hash, _ := strings.Cut(line, ":")
		secrets["the hash of "+user] = hash
	}
	secrets["the password"] = strings.TrimSpace(read(t, dir, ".mosqbuild/password"))
	_, health, _ := strings.Cut(read(t, dir, ".mosqbuild/health/mosquitto_sub"), "-P ")
	secrets["the password of health"] = strings.TrimSpace(health)
	files, err := os.ReadDir(image)
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files in %s, %v", len(files), image, err)
	}
	found := map[string]string{}
	for _, f := range files {
		content := unpacked(t, []byte(read(t, image, f.Name())))
		for what, secret := range secrets {
			if len(secret) < 10 {
				t.Fatalf("%s is %q: too short to look for", what, secret)
			}
			if bytes.Contains(content, []byte(secret)) {
				found[what] = f.Name()
			}
		}
	}
	return found
}

// unpacked is data and, where it is a compressed tar, all of its content.
func unpacked(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return data
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return data
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		data = append(append(data, h.Name...), content...)
	}
}
