package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Open returns what OpenArtifact does, and of an index the image that Choose
// gives.
func Open(dir string) (Image, error) {
	a, err := OpenArtifact(dir)
	if err != nil {
		return nil, err
	}
	return Choose(a, "")
}

// OpenArtifact returns the image or index in the OCI layout in dir, its
// manifests and configs checked; layers are read when needed and checked when
// written or pushed. The error is fs.ErrNotExist where there is no layout.
func OpenArtifact(dir string) (Artifact, error) {
	a, err := open(dir)
	if err != nil {
		err = fmt.Errorf("opening the image in %q: %w", dir, err)
		return nil, fault.Hint(err, "run: mosqbuild image build")
	}
	return a, nil
}

func open(dir string) (Artifact, error) {
	path, err := layout.FromPath(dir)
	if err != nil {
		return nil, err
	}
	top, err := readIndex(dir)
	if err != nil {
		return nil, err
	}
	if len(top.Manifests) != 1 {
		return nil, fmt.Errorf("the layout holds %d images, not one", len(top.Manifests))
	}
	found := top.Manifests[0]
	if !found.MediaType.IsIndex() {
		whole, err := path.ImageIndex()
		if err != nil {
			return nil, err
		}
		return openImage(path, whole, found.Digest)
	}
	raw, err := path.Bytes(found.Digest)
	if err == nil {
		err = verify(found.Digest, raw)
	}
	if err != nil {
		return nil, err
	}
	whole, err := layoutIndex(path, found.Digest)
	if err != nil {
		return nil, err
	}
	return checked(&index{raw, found.MediaType, func(d v1.Descriptor) (Image, error) { return openImage(path, whole, d.Digest) }})
}

func layoutIndex(path layout.Path, digest v1.Hash) (Index, error) {
	top, err := path.ImageIndex()
	if err != nil {
		return nil, err
	}
	return top.ImageIndex(digest)
}

// checked returns an index once each of its images could be opened.
func checked(i *index) (Artifact, error) {
	_, err := imagesOf(i)
	return i, err
}

// openImage opens an image that an index of the layout names.
func openImage(path layout.Path, in Index, digest v1.Hash) (Image, error) {
	img, err := in.Image(digest)
	if err != nil {
		return nil, err
	}
	raw, err := img.RawManifest()
	if err != nil {
		return nil, err
	}
	if err := verify(digest, raw); err != nil {
		return nil, err
	}
	name, err := img.ConfigName()
	if err != nil {
		return nil, err
	}
	cf, err := path.Bytes(name)
	if err != nil {
		return nil, err
	}
	return img, verify(name, cf)
}

func verify(digest v1.Hash, data []byte) error {
	if got, _, err := v1.SHA256(bytes.NewReader(data)); err != nil || got != digest {
		return fmt.Errorf("blob %s: its content has changed", digest)
	}
	return nil
}

func readIndex(dir string) (v1.IndexManifest, error) {
	var index v1.IndexManifest
	data, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil {
		return index, err
	}
	return index, json.Unmarshal(data, &index)
}

// writeLayout makes dir a layout of this image alone: a new one is built
// beside it and renamed, in one of ours the index changes last.
func (c contents) writeLayout(ctx context.Context, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := c.newLayout(ctx, dir); !errors.Is(err, fs.ErrExist) {
			return err
		} // else another build was quicker
	}
	return c.updateLayout(ctx, dir)
}

// checkOurs refuses a folder that is neither empty, as a mount may be, which nothing
// can take the place of, nor a layout of ours.
func checkOurs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	index, err := readIndex(dir)
	if err != nil {
		return foreignLayout("%q is there and is no OCI layout", dir)
	}
	for _, m := range index.Manifests {
		if m.Annotations[ownAnnotation] == "" {
			return foreignLayout("%q holds an image of another program", dir)
		}
	}
	return nil
}

// emptied takes out of a folder what was to become a layout and didn't.
func emptied(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, indexFile)); err == nil { // it was one before
		return nil
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, "blobs")), removeIfThere(filepath.Join(dir, layoutFile)))
}

// foreignLayout is what mustn't be written over unasked.
func foreignLayout(format, dir string) error {
	return fault.With(fault.Usage, fault.Hint(fmt.Errorf(format, dir), "remove or empty %q, or name another folder", dir))
}

func (c contents) newLayout(ctx context.Context, dir string) error {
	return newFolder(dir, func(tmp string) error {
		if err := c.fillLayout(ctx, tmp); err != nil {
			return err
		}
		if c.mode == publicMode {
			return os.Chmod(tmp, 0o755)
		}
		return nil
	})
}

// newFolder makes the folder dir, at mode 0700, of what fill writes into one
// beside it. In place of an empty folder it comes, of any other not.
func newFolder(dir string, fill func(tmp string) error) (err error) {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	if err := fill(tmp); err != nil {
		return err
	}
	if err := unix.Rename(tmp, dir); err != nil { // os.Rename takes the place of no folder
		return &os.LinkError{Op: "rename", Old: tmp, New: dir, Err: err}
	}
	return nil
}

// updateLayout holds a lock on the folder, since it removes what the index no
// longer names, and another build may be about to.
func (c contents) updateLayout(ctx context.Context, dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking %q: %w", dir, err)
	}
	if err := checkOurs(dir); err != nil {
		return err
	}
	if err := c.fillLayout(ctx, dir); err != nil {
		return errors.Join(err, emptied(dir))
	}
	return c.pruneLayout(dir)
}

func (c contents) fillLayout(ctx context.Context, dir string) error {
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	for _, b := range c.blobs {
		path := filepath.Join(blobs, b.digest.Hex)
		if b.linkTo(path) || b.isAt(ctx, path) {
			continue
		}
		if err := replace(path, c.mode, func(w io.Writer) error { return b.copyTo(ctx, w) }); err != nil {
			return err
		}
	}
	for _, f := range []struct{ name, data string }{{layoutFile, layoutContent}, {indexFile, string(c.index)}} {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := replace(filepath.Join(dir, f.name), c.mode, func(w io.Writer) error {
			_, err := io.WriteString(w, f.data)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// linkTo makes path another name of the blob's file in the cache, which saves
// copying and checking it. It says whether that went well: the two may be on
// different file systems.
func (b blob) linkTo(path string) bool {
	if b.file == "" {
		return false
	}
	cached, err := os.Stat(b.file)
	if err != nil {
		return false
	}
	if there, err := os.Lstat(path); err == nil && os.SameFile(cached, there) {
		return true
	}
	tmp := path + ".new"
	if removeIfThere(tmp) != nil || os.Link(b.file, tmp) != nil {
		return false
	}
	return os.Rename(tmp, path) == nil
}

// isAt says whether the file at path is the blob, by reading it: one that a
// power cut spoiled is written anew.
func (b blob) isAt(ctx context.Context, path string) bool {
	file := blob{digest: b.digest, size: b.size, open: func() (io.ReadCloser, error) { return os.Open(path) }}
	return file.copyTo(ctx, io.Discard) == nil
}

func (c contents) pruneLayout(dir string) error {
	blobs := filepath.Join(dir, "blobs", "sha256")
	entries, err := os.ReadDir(blobs)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, b := range c.blobs {
		named[b.digest.Hex] = true
	}
	for _, e := range entries {
		if !named[e.Name()] {
			if err := removeIfThere(filepath.Join(blobs, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
