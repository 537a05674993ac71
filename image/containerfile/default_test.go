package containerfile_test

import (
	"bytes"
	"testing"

	"github.com/mosqbuild/mosqbuild/image/containerfile"
)

// A repository's URL may hold a login, and apk's arguments are there for all to read.
func TestDefaultNamesRepositoriesInAFile(t *testing.T) {
	if bytes.Contains(containerfile.Default, []byte("--repository ")) || !bytes.Contains(containerfile.Default, []byte("--repositories-file /tmp/")) {
		t.Error("apk is given repositories as arguments")
	}
}
