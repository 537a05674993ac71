//go:build !buildah

package containerfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/image/containerfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestBuildSaysHowToGetIt(t *testing.T) {
	_, err := containerfile.Build(t.Context(), containerfile.Options{})
	if !errors.Is(err, containerfile.ErrNotCompiledIn) || !strings.Contains(fault.HintOf(err), "-tags buildah,") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}
