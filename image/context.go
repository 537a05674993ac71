package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Folders of a build context, each of which goes over the root of the image.
const (
	ContextRendered = "rendered"
	ContextDefaults = "defaults"
)

// WriteContext writes what img holds beside its packages to dir, a new or
// empty folder, as the build context of the Containerfile: rendered/ and
// defaults/, the latter empty where img has none. Modes are those of the
// image; the owner is whoever runs this. A failure leaves no folder behind.
func WriteContext(ctx context.Context, img Image, dir string) error {
	m, err := img.Manifest()
	if err != nil {
		return fmt.Errorf("reading the manifest: %w", err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading the config: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return fmt.Errorf("reading the layers: %w", err)
	}
	if len(cf.History) != len(layers) || len(m.Layers) != len(layers) {
		return errors.New("writing a build context: layers and history don't match")
	}
	// The folder stays at 0700: it holds test credentials.
	err = newFolder(dir, func(tmp string) error {
		for _, sub := range []string{ContextRendered, ContextDefaults} {
			if err := os.Mkdir(filepath.Join(tmp, sub), 0o755); err != nil {
				return err
			}
		}
		for i, l := range layers {
			sub := ContextRendered
			if isDefaults(m.Layers[i]) {
				sub = ContextDefaults
			} else if cf.History[i].CreatedBy != historyPrefix+kindRendered {
				continue
			}
			if err := unpack(ctx, l, filepath.Join(tmp, sub)); err != nil {
				return fmt.Errorf("unpacking layer %s: %w", m.Layers[i].Digest, err)
			}
		}
		return nil
	})
	if err != nil {
		return fault.Hint(fmt.Errorf("writing a build context to %q: %w", dir, err), "name a folder that is new or empty, where you may write")
	}
	return nil
}

// unpack writes a layer's folders and files below dir; other kinds are none of
// ours.
func unpack(ctx context.Context, l v1.Layer, dir string) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	r, err := Unpack(l)
	if err != nil {
		return errors.Join(err, root.Close())
	}
	defer func() { err = errors.Join(err, r.Close(), root.Close()) }()
	for tr := tar.NewReader(r); ; {
		h, err := NextEntry(tr)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = unpackEntry(root, h, tr)
		}
		if err != nil {
			return err
		}
	}
}

func unpackEntry(root *os.Root, h *tar.Header, content io.Reader) error {
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	mode := fs.FileMode(h.Mode).Perm()
	switch h.Typeflag {
	case tar.TypeDir:
		if err := root.Mkdir(name, 0o700); err != nil {
			return err
		}
	case tar.TypeReg:
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%q is neither folder nor file", h.Name)
	}
	return root.Chmod(name, mode) // whatever the umask
}
