package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/image/inspect"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages"
)

// asLocked compares what apk's database in img says with the lock, by which the
// SBOM is written: apk was told versions alone, and took them from whichever
// repository had them. With only, img has the lock's packages and no others;
// without, what else is there, or isn't, is the user's.
func asLocked(ctx context.Context, img image.Image, lock *packages.Lock, only bool) error {
	d, err := inspect.Describe(ctx, img)
	if err != nil {
		return err
	}
	var all []error
	add := func(format string, args ...any) {
		all = append(all, fmt.Errorf("comparing what is installed with the lock: "+format, args...))
	}
	seen := map[string]bool{}
	for _, is := range d.Packages {
		was, locked := lock.Find(is.Name)
		seen[is.Name] = true
		switch {
		case !locked && only:
			add("package %q, version %q, checksum %s, is installed and isn't locked", is.Name, is.Version, is.Checksum)
		case locked && (is.Version != was.Version || is.Checksum != was.Checksum):
			add("package %q is locked in version %q, checksum %s, and installed in version %q, checksum %s",
				is.Name, was.Version, was.Checksum, is.Version, is.Checksum)
		}
	}
	for _, was := range lock.Packages {
		if only && !seen[was.Name] {
			add("package %q, version %q, checksum %s, is locked and isn't installed", was.Name, was.Version, was.Checksum)
		}
	}
	return fault.With(fault.Refused, fault.Hint(errors.Join(all...), "%s", hintInstalled(only)))
}

func hintInstalled(only bool) string {
	if only {
		return "apk takes a version from the first repository that lists it: leave that one out, or build with --engine=native, which takes the locked files"
	}
	return "let no step of the Containerfile change the packages below: name other versions in mosqbuild.yaml"
}
