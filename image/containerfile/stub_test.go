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
	err := containerfile.Build(t.Context(), containerfile.Options{}, t.TempDir())
	if !errors.Is(err, containerfile.ErrNotCompiledIn) || fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), "-tags buildah,") {
		t.Errorf("%v, code %d, hint %q", err, fault.CodeOf(err), fault.HintOf(err))
	}
}
