package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// ReadOptions says how Read speaks to a registry; the other fields are as in
// PushOptions.
type ReadOptions struct {
	// Platform says which image of an index Read gives, as Choose has it.
	Platform   string
	Logins     []string
	Trust      Trust
	RetryDelay time.Duration
	Silence    time.Duration
}

// Read returns what ReadArtifact does, and of an index the image that Choose
// gives for o.Platform.
func Read(ctx context.Context, from string, o ReadOptions) (Image, error) {
	a, err := ReadArtifact(ctx, from, o)
	if err != nil {
		return nil, err
	}
	img, err := Choose(a, o.Platform)
	if err != nil {
		return nil, fmt.Errorf("reading the image %q: %w", from, err)
	}
	return img, nil
}

// ReadArtifact returns the image or index that from names: oci:DIR,
// oci-archive:FILE, docker-archive:FILE, or REGISTRY/NAME[:TAG][@DIGEST], the
// tag being latest where there is neither. Layers are read when needed, and of
// an index in a registry images as well. Errors carry fault.Usage where from
// can't be read as any of these or isn't there, and fault.Unreachable with a hint where a
// registry doesn't give the image.
func ReadArtifact(ctx context.Context, from string, o ReadOptions) (Artifact, error) {
	a, err := read(ctx, from, o)
	if errors.Is(err, fs.ErrNotExist) {
		err = fault.With(fault.Usage, fault.Hint(err, "name what was built: mosqbuild image build -o %s", from))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the image %q: %w", from, err)
	}
	return a, nil
}

func read(ctx context.Context, from string, o ReadOptions) (Artifact, error) {
	if out, err := ParseOutput(from); err == nil {
		switch out.Format {
		case FormatOCI:
			return open(out.Path)
		case FormatOCIArchive:
			return openArchive(out.Path)
		case FormatDockerArchive:
			return openDockerArchive(out.Path)
		}
		err := errors.New("podman's storage can't be read")
		return nil, fault.With(fault.Usage, fault.Hint(err, "run: podman save --format oci-archive -o FILE NAME, and name oci-archive:FILE"))
	}
	ref, err := parseSource(from, o.Trust.Insecure)
	if err != nil {
		return nil, err
	}
	// Its connections stay open: the layers are read later.
	transport, err := newTransport(certDirs(o.Trust, ref.Context().RegistryStr()), !o.Trust.Insecure, o.Silence)
	if err != nil {
		return nil, err
	}
	desc, err := remote.Get(ref, append(retries(o.RetryDelay), remote.WithContext(ctx), remote.WithTransport(transport),
		remote.WithAuthFromKeychain(keychain{o.Logins}), remote.WithUserAgent("mosqbuild"))...)
	if err != nil {
		return nil, explain(ctx, err, pullHint(err, ref.Context()))
	}
	if !desc.MediaType.IsIndex() {
		return sized(desc.Image())
	}
	whole, err := desc.ImageIndex()
	if err != nil {
		return nil, err
	}
	return &index{desc.Manifest, desc.MediaType, func(d v1.Descriptor) (Image, error) {
		img, err := sized(whole.Image(d.Digest))
		if err != nil {
			return nil, explain(ctx, err, pullHint(err, ref.Context()))
		}
		return img, nil
	}}, nil
}

// sized returns an image of a registry whose manifest has sizes that what the
// library reads is held to: it reads a config into memory, and what has less than 0
// bytes for as long as there is more.
func sized(img Image, err error) (Image, error) {
	if err != nil {
		return nil, err
	}
	m, err := img.Manifest()
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	if n := m.Config.Size; n < 0 || n > maxDocument {
		return nil, tooMuch("the config has %d bytes, not 0 to %d", n, maxDocument)
	}
	for _, d := range m.Layers {
		if d.Size < 0 {
			return nil, tooMuch("the layer %s has %d bytes", d.Digest, d.Size)
		}
	}
	return img, nil
}

// openDockerArchive opens the one image of an archive, of which the library
// takes it that its documents are small, and that its configuration has a diff ID
// for each layer.
func openDockerArchive(file string) (Image, error) {
	sizes := map[string]int64{} // of two of a name the library reads the first
	err := eachHeader(file, func(h *tar.Header, _ int64) {
		if _, twice := sizes[h.Name]; !twice && h.Typeflag == tar.TypeReg {
			sizes[h.Name] = h.Size
		} else if !twice {
			sizes[h.Name] = -1
		}
	})
	if err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return os.Open(file) }
	if err := checkDocument(sizes, "manifest.json"); err != nil {
		return nil, err
	}
	m, err := tarball.LoadManifest(opener)
	if err != nil {
		return nil, err
	}
	if len(m) != 1 {
		return nil, fmt.Errorf("the archive holds %d images, not one", len(m))
	}
	if err := checkDocument(sizes, m[0].Config); err != nil {
		return nil, err
	}
	img, err := tarball.Image(opener, nil)
	if err != nil {
		return nil, err
	}
	cf, err := img.ConfigFile()
	if err == nil && len(m[0].Layers) != len(cf.RootFS.DiffIDs) {
		err = errors.New("the archive's list of layers isn't the one in the image's configuration")
	}
	return img, err
}

func checkDocument(sizes map[string]int64, name string) error {
	switch n, ok := sizes[name]; {
	case !ok || n < 0:
		return fmt.Errorf("the archive holds no file %q", name)
	case n > maxDocument:
		return fmt.Errorf("reading %q: it has %d bytes, more than %d", name, n, maxDocument)
	}
	return nil
}

// parseSource reads what can be pulled.
func parseSource(from string, insecure bool) (name.Reference, error) {
	var scheme []name.Option
	if insecure {
		scheme = append(scheme, name.Insecure)
	}
	named, digest, pinned := strings.Cut(from, "@")
	tag, err := parseReference(named, scheme...)
	if err == nil && !pinned {
		return tag, nil
	}
	if err == nil {
		_, err = v1.NewHash(digest)
	}
	if err != nil {
		return nil, fault.With(fault.Usage, fault.Hint(err, "write oci:DIR, oci-archive:FILE, docker-archive:FILE or REGISTRY/NAME[:TAG][@DIGEST]"))
	}
	return tag.Digest(digest), nil
}

func pullHint(err error, from name.Repository) string {
	if answer := (*transport.Error)(nil); errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return "log in with the right to pull from there: podman login " + registryName(from)
		case http.StatusNotFound:
			return "check the name, and that the image was pushed there"
		}
	}
	return registryHint(err, from)
}
