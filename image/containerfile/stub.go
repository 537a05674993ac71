//go:build !buildah

package containerfile

import (
	"context"
	"errors"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// ErrNotCompiledIn says that this program was built without buildah.
var ErrNotCompiledIn = errors.New("this mosqbuild was built without buildah")

// Check returns ErrNotCompiledIn, as fault.Usage and with a hint how to get it.
func Check() error {
	return fault.With(fault.Usage, fault.Hint(ErrNotCompiledIn,
		"make build, with gcc installed, puts one with it at bin/mosqbuild-full; or run: CGO_ENABLED=1 go build -tags %s -o mosqbuild-full ./cmd/mosqbuild", Tags))
}

// Build returns what Check does.
func Build(context.Context, Options, string) error { return Check() }

// Init does nothing: only buildah runs the program anew.
func Init() bool { return false }
