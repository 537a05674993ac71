//go:build !buildah

package containerfile

import (
	"context"
	"errors"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// ErrNotCompiledIn says that this program was built without buildah.
var ErrNotCompiledIn = errors.New("this mosqbuild was built without buildah")

// Build returns ErrNotCompiledIn with a hint how to get it.
func Build(context.Context, Options) (id string, err error) {
	return "", fault.Hint(ErrNotCompiledIn, "build it in: go build -tags %s ./cmd/mosqbuild, or run: podman build -f Containerfile DIR", Tags)
}

// Init does nothing: only buildah runs the program anew.
func Init() bool { return false }
