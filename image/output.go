package image

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// The formats of Output.
const (
	FormatOCI           = "oci"            // a folder in OCI layout
	FormatOCIArchive    = "oci-archive"    // the same as one tar file
	FormatDockerArchive = "docker-archive" // what "docker save" writes
	FormatPodman        = "podman"         // podman's own storage
)

// Output is where an image is written to.
type Output struct {
	Format string // one of the Format constants
	Path   string // a file or folder; "" for podman
}

// ParseOutput reads FORMAT:PATH, or podman.
func ParseOutput(s string) (Output, error) {
	format, path, _ := strings.Cut(s, ":")
	switch format {
	case FormatPodman:
		if s == FormatPodman {
			return Output{Format: format}, nil
		}
	case FormatOCI, FormatOCIArchive, FormatDockerArchive:
		if path != "" {
			return Output{format, path}, nil
		}
	}
	err := fmt.Errorf("output %q is none of oci:DIR, oci-archive:FILE, docker-archive:FILE, podman", s)
	return Output{}, fault.With(fault.Usage, err)
}

// String returns what ParseOutput reads.
func (o Output) String() string {
	if o.Path == "" {
		return o.Format
	}
	return o.Format + ":" + o.Path
}

// Check returns a fault.Usage error where what is for those platforms can't be
// written so: docker-archive and podman hold an image, and no index.
func (o Output) Check(platforms ...string) error {
	if len(platforms) < 2 || o.Format != FormatDockerArchive && o.Format != FormatPodman {
		return nil
	}
	err := fmt.Errorf("writing to %q: it takes an image for one platform, and this is for %s", o, strings.Join(platforms, ", "))
	return fault.With(fault.Usage, fault.Hint(err, "name one of them: --platform %s; or write all: -o oci-archive:FILE", platforms[0]))
}

// Write writes a to out under ref, such as "localhost/mosquitto:latest". A
// failure leaves what was there before. Files that hold test credentials are
// readable by their owner alone. A docker archive's layers are always gzip, which
// is what readers of those expect.
func Write(ctx context.Context, a Artifact, out Output, ref string) error {
	tag, err := parseReference(ref)
	if err != nil {
		return err
	}
	if index, several := a.(Index); several {
		variants, err := Variants(index)
		if err != nil {
			return err
		}
		if err := out.Check(platformsOf(variants)...); err != nil {
			return err
		}
	}
	c, err := contentsOf(a, tag.Name())
	if err != nil {
		return err
	}
	switch out.Format {
	case FormatOCI:
		err = c.writeLayout(ctx, out.Path)
	case FormatOCIArchive:
		err = atomicfile.Stream(out.Path, c.mode, func(f *os.File) error { return c.writeArchive(ctx, f) })
	case FormatDockerArchive:
		err = atomicfile.Stream(out.Path, c.mode, func(f *os.File) error {
			img, err := Choose(a, "")
			if err == nil {
				img, err = gzipped(ctx, img)
			}
			if err != nil {
				return err
			}
			return tarball.Write(tag, img, contextWriter{ctx, f})
		})
	case FormatPodman:
		err = c.load(ctx)
	default:
		err = fault.With(fault.Usage, fmt.Errorf("unknown format %q", out.Format))
	}
	if err != nil {
		return fmt.Errorf("writing the image to %q: %w", out, err)
	}
	return nil
}

// secretMode is the mode of files that hold test credentials.
const (
	secretMode = fs.FileMode(0o600)
	publicMode = fs.FileMode(0o644)
)

// contextWriter stops writing when its context ends.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

// Write implements io.Writer.
func (w contextWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}
