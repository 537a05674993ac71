package image

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// PushOptions says where an image goes and how. Only Reference is required.
type PushOptions struct {
	// Reference is REGISTRY/NAME[:TAG]; the tag defaults to latest.
	Reference string
	// Logins are login files as podman and docker write them, in order: the
	// first that has a login for the registry wins, missing files are skipped.
	Logins []string
	// Trust says which certificates the registry may show.
	Trust Trust
	// Signer signs what is pushed; nil leaves it unsigned.
	Signer *Signer
	// WithTestCredentials pushes the defaults layer to any registry.
	WithTestCredentials bool
	// Progress is called with the bytes done and the bytes known of so far,
	// from one goroutine. Blobs that were there already count as done.
	Progress func(done, total int64)
	// RetryDelay is the wait before the second of four tries; each later wait
	// is three times as long. Default: half a second.
	RetryDelay time.Duration
	// Silence is how long a registry may take or send nothing of what is on its way.
	// Default: a minute.
	Silence time.Duration
}

// Trust says which certificates a registry may show.
type Trust struct {
	// Roots are folders that hold a folder HOST[:PORT] each, as podman's
	// /etc/containers/certs.d.
	Roots []string
	// Dir is one more such folder, used whatever the registry's name.
	Dir string
	// Insecure accepts any certificate, and plain http.
	Insecure bool
}

// Pushed is the outcome of Push.
type Pushed struct {
	// Reference is REGISTRY/NAME@DIGEST.
	Reference string
	// Digest is that of the image in the registry, Built that of the image
	// that was given: they differ where DefaultsLeftOut.
	Digest, Built string
	// DefaultsLeftOut says that the layer of test credentials stayed behind.
	DefaultsLeftOut bool
	// SBOM is the digest of the list of contents that was attached to the
	// image; "" where the image has none, or has files above it that it doesn't
	// list, or the registry takes none.
	SBOM string
	// Uploaded counts the blobs that the registry lacked.
	Uploaded int
}

// Push uploads what the registry lacks of img: blobs and, at the same time, the
// list of its contents, as an artifact that refers to it, and signatures where
// o.Signer makes them (once more after the manifest, where the registry wants that
// first); then the manifest under the tag, so that a failure leaves no
// tag behind.
// Of an index each image has such a list and signatures, and the index others,
// and the images come by digest. The layer of test credentials is left out unless
// the registry is on loopback or o.WithTestCredentials. Server errors, 429, and
// connections that break or stand still are tried again; a refusal isn't. Errors
// carry fault.Usage, or fault.Unreachable with a hint.
func Push(ctx context.Context, img Artifact, o PushOptions) (Pushed, error) {
	var scheme []name.Option
	if o.Trust.Insecure {
		scheme = append(scheme, name.Insecure)
	}
	tag, err := parseReference(o.Reference, scheme...)
	if err != nil {
		return Pushed{}, err
	}
	pushed, img, err := choose(img, o.WithTestCredentials || loopbackHost(tag.RegistryStr()))
	if err != nil {
		return Pushed{}, err
	}
	transport, err := newTransport(certDirs(o.Trust, tag.RegistryStr()), !o.Trust.Insecure, o.Silence)
	if err != nil {
		return Pushed{}, err
	}
	defer transport.close()
	lists, err := listsOf(img)
	if err != nil {
		return Pushed{}, err
	}
	report, wait := progress(o.Progress)
	defer wait()
	group, inner := errgroup.WithContext(ctx)
	opts := append(retries(o.RetryDelay), remote.WithContext(inner), remote.WithTransport(transport),
		remote.WithAuthFromKeychain(keychain{o.Logins}), remote.WithUserAgent("mosqbuild"))
	pusher, err := remote.NewPusher(append(slices.Clone(opts), report...)...)
	if err != nil {
		return Pushed{}, err
	}
	var early error
	group.Go(func() error {
		if pushed.SBOM, early = o.beside(tag, lists, opts); notFound(early) {
			return nil
		}
		return early
	})
	group.Go(func() error {
		if err := upload(inner, pusher, tag.Repository, img); err != nil {
			return fmt.Errorf("pushing to %q: %w", o.Reference, err)
		}
		return nil
	})
	err = group.Wait()
	wanted := o.Signer != nil || slices.ContainsFunc(lists, func(l listed) bool { return l.list != nil })
	if err == nil && (early != nil || wanted && pushed.SBOM == "") {
		opts = append(opts, remote.WithContext(ctx)) // the group's is over
		pushed.SBOM, err = o.late(ctx, pusher, img, tag, lists, opts)
		if refusesArtifacts(err) && (early == nil || o.Signer == nil) {
			err = nil // it takes nothing by digest: no list, and no more of signatures than it took before
		}
	}
	if err != nil {
		return Pushed{}, explain(ctx, err, pushHint(err, tag))
	}
	if err := pusher.Push(ctx, tag, img); err != nil {
		return Pushed{}, explain(ctx, fmt.Errorf("pushing to %q: %w", o.Reference, err), pushHint(err, tag))
	}
	pushed.Reference = repositoryName(tag) + "@" + pushed.Digest
	pushed.Uploaded = int(transport.uploaded.Load())
	return pushed, nil
}

// beside puts the lists of contents and the signatures beside the image, and
// returns the digest of the last list.
func (o PushOptions) beside(tag name.Tag, lists []listed, opts []remote.Option) (sbom string, err error) {
	// One pusher, and so one login, for all of it, but another than for the image: where
	// a tag stands for the list of referrers, the library counts that as done, but not as
	// to do. It remembers what failed, too.
	pusher, err := remote.NewPusher(opts...)
	if err != nil {
		return "", err
	}
	opts = append(slices.Clone(opts), remote.Reuse(pusher))
	if sbom, err = attach(tag.Repository, lists, opts); err != nil {
		return "", fmt.Errorf("pushing the SBOM to %q: %w", o.Reference, err)
	}
	if o.Signer == nil {
		return sbom, nil
	}
	if err := o.Signer.signAll(tag, lists, opts); err != nil {
		return "", fmt.Errorf("signing %q: %w", o.Reference, err)
	}
	return sbom, nil
}

// late is beside for a registry that wants the image first, though it mustn't:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests-with-subject.
// By its digest alone the image is there, and no tag leads to it.
func (o PushOptions) late(ctx context.Context, p *remote.Pusher, img Artifact, tag name.Tag, lists []listed, opts []remote.Option) (string, error) {
	digest, err := img.Digest()
	if err == nil {
		err = p.Push(ctx, tag.Digest(digest.String()), img)
	}
	if err != nil {
		return "", fmt.Errorf("pushing to %q: %w", o.Reference, err)
	}
	return o.beside(tag, lists, opts)
}

// choose returns the image to push, with or without the defaults layer, and
// what Pushed says of the two.
func choose(img Artifact, withDefaults bool) (Pushed, Artifact, error) {
	built, err := img.Digest()
	if err != nil {
		return Pushed{}, nil, fmt.Errorf("reading the image: %w", err)
	}
	if !withDefaults {
		if img, err = StripDefaults(img); err != nil {
			return Pushed{}, nil, err
		}
	}
	digest, err := img.Digest()
	if err != nil {
		return Pushed{}, nil, fmt.Errorf("reading the image: %w", err)
	}
	return Pushed{Digest: digest.String(), Built: built.String(), DefaultsLeftOut: digest != built}, img, nil
}

// uploads is how many blobs are on their way at once.
const uploads = 4

// upload brings the blobs of every image of a to the registry, of which the pusher
// takes note.
func upload(ctx context.Context, p *remote.Pusher, to name.Repository, a Artifact) error {
	images, err := imagesOf(a)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for _, img := range images {
		blobs, err := img.Layers()
		if err != nil {
			return fmt.Errorf("reading the layers: %w", err)
		}
		settings, err := partial.ConfigLayer(img)
		if err != nil {
			return fmt.Errorf("reading the config: %w", err)
		}
		for _, blob := range append(blobs, settings) {
			group.Go(func() error { return p.Upload(ctx, to, blob) })
		}
	}
	return group.Wait()
}

// progress turns the library's channel into calls of report, which may be nil. end
// ends that, once the last was made. The channel is never closed: of a request that
// was given up, the transport may read a little more, and say so.
func progress(report func(done, total int64)) (opts []remote.Option, end func()) {
	if report == nil {
		return nil, func() {}
	}
	updates := make(chan v1.Update, 64)
	over, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		for stop, ended := over, false; ; {
			select {
			case u := <-updates:
				report(u.Complete, u.Total)
			case <-stop:
				stop, ended = nil, true
			}
			if ended && len(updates) == 0 {
				return
			}
		}
	}()
	return []remote.Option{remote.WithProgress(updates)}, func() {
		close(over)
		<-finished
	}
}
