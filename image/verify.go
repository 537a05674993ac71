package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Why an image is refused. Verify's errors carry fault.Refused with these.
var (
	// ErrUnsigned is an image that nobody has signed.
	ErrUnsigned = errors.New("it is not signed")
	// ErrOtherKey is an image none of whose signatures is by the key, or is whole.
	ErrOtherKey = errors.New("no signature of it is by this key")
	// ErrOtherDigest is a signature by the key, but of another image.
	ErrOtherDigest = errors.New("the signature by this key is another image's")
	// ErrNoSBOM is an image whose list of contents the key did not attest.
	ErrNoSBOM = errors.New("no list of its contents is attested by this key")
)

// Verified is what Verify found.
type Verified struct {
	// Reference is REGISTRY/NAME@DIGEST.
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	// Identity is the name that the signer gave the image, and that the signature
	// covers: the one that was asked for, if any signature is under that name; ""
	// where the signature is a bundle, which has none.
	Identity string `json:"identity,omitempty"`
	// Elsewhere says that Identity is another name than the one asked for.
	Elsewhere bool `json:"elsewhere,omitempty"`
	// SBOMs are the lists of contents that the key attests: of the image, or of
	// an index and the images in it, those that have one.
	SBOMs []AttestedSBOM `json:"sboms"`
	// Unlisted are the digests of those that have none: the image, or images of
	// the index.
	Unlisted []string `json:"unlisted"`
}

// AttestedSBOM is a list of contents, an SPDX document, that a key attests.
type AttestedSBOM struct {
	Digest   string `json:"digest"`             // of the image whose contents it lists
	Platform string `json:"platform,omitempty"` // where it is one of an index
	Name     string `json:"name"`               // the document's
	Packages int    `json:"packages"`
}

// Verify looks up REGISTRY/NAME[:TAG][@DIGEST], once, and checks that it is
// signed by the key: with a payload under the tag that cosign up to version 2
// uses, or a bundle, as version 3 does. No transparency log is asked. An image
// that isn't gives one of the errors above with fault.Refused; fault.Usage is a
// reference that can't be read, fault.Unreachable a registry that doesn't give
// the image or what is beside it.
func Verify(ctx context.Context, from string, key *PublicKey, o ReadOptions) (Verified, error) {
	v, err := verifyAt(ctx, from, key, o)
	if err != nil {
		return Verified{}, fmt.Errorf("verifying the image %q: %w", from, err)
	}
	return v, nil
}

func verifyAt(ctx context.Context, from string, key *PublicKey, o ReadOptions) (Verified, error) {
	ref, err := parseSource(from, o.Trust.Insecure)
	if err != nil {
		return Verified{}, fault.Hint(err, "write REGISTRY/NAME[:TAG][@DIGEST]")
	}
	transport, err := newTransport(certDirs(o.Trust, ref.Context().RegistryStr()), !o.Trust.Insecure, o.Silence)
	if err != nil {
		return Verified{}, err
	}
	defer transport.close()
	opts := append(retries(o.RetryDelay), remote.WithContext(ctx), remote.WithTransport(transport),
		remote.WithAuthFromKeychain(keychain{o.Logins}), remote.WithUserAgent("mosqbuild"))
	d, err := remote.Get(ref, opts...)
	if err != nil {
		return Verified{}, explain(ctx, err, pullHint(err, ref.Context()))
	}
	repository := repositoryName(ref.Context().Tag(""))
	v := Verified{Reference: repository + "@" + d.Digest.String(), Digest: d.Digest.String(), SBOMs: []AttestedSBOM{}, Unlisted: []string{}}
	image := ref.Context().Digest(v.Digest)
	names := []string{repository + ":" + ref.Identifier(), repository}
	signed, err := key.signatureOf(newShelf(image, opts), names)
	if err == nil {
		v.Identity = signed.identity
		_, byDigest := ref.(name.Digest)
		v.Elsewhere = v.Identity != "" && !slices.Contains(names, v.Identity) && !(byDigest && strings.HasPrefix(v.Identity, repository+":"))
		err = key.sboms(&v, image, d, opts)
	}
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, ErrUnsigned):
		return v, fault.With(fault.Refused, fault.Hint(err, "sign it: cosign sign --key KEY %s, or mosqbuild image push --sign KEY", v.Reference))
	case errors.Is(err, ErrOtherKey), errors.Is(err, ErrOtherDigest):
		return v, fault.With(fault.Refused, fault.Hint(err, "don't run it before you know who put it there; is this the public key of who signs it?"))
	}
	return v, explain(ctx, err, pullHint(err, ref.Context()))
}

// signatureOf returns the key's signature of the image, the one under the first of
// names that there is, else any.
func (k *PublicKey) signatureOf(s shelf, names []string) (claim, error) {
	payloads, err := s.list(signatureSuffix, payloadType, maxPayload)
	if err != nil {
		return claim{}, err
	}
	signed, why := find(payloads, s.image, "", k.payload)
	for _, name := range names {
		if at := slices.IndexFunc(signed, func(c claim) bool { return c.identity == name }); at >= 0 {
			return signed[at], nil
		}
	}
	if why == nil {
		return signed[0], nil
	}
	bundles, err := s.bundles()
	if err != nil {
		return claim{}, err
	}
	signed, more := find(bundles, s.image, predicateSignature, k.envelope)
	if more == nil {
		return signed[0], nil
	}
	return claim{}, worst(why, more)
}

// find returns those in the list that say something about the image, with that
// type of predicate, or what is wrong with them all.
func find(list []attached, image name.Digest, predicate string, read func(attached) (claim, error)) ([]claim, error) {
	var found []claim
	why := ErrUnsigned
	for _, a := range list {
		c, err := read(a)
		switch {
		case err != nil:
			why = worst(why, fmt.Errorf("%w: %w", ErrOtherKey, err))
		case c.predicate != predicate: // it says something else
		case !c.about(image.DigestStr()):
			why = worst(why, fmt.Errorf("%w: %q", ErrOtherDigest, c.digests))
		default:
			found = append(found, c)
		}
	}
	if found != nil {
		why = nil
	}
	return found, why
}

// worst returns the one of two errors that says more.
func worst(a, b error) error {
	for _, kind := range []error{ErrOtherDigest, ErrOtherKey} {
		for _, err := range []error{a, b} {
			if errors.Is(err, kind) {
				return err
			}
		}
	}
	return a
}

// sboms adds to v the lists of contents that the key attests, of the image and,
// where it is an index, of the images in it, and which of these have none.
func (k *PublicKey) sboms(v *Verified, image name.Digest, d *remote.Descriptor, opts []remote.Option) error {
	of := []v1.Descriptor{d.Descriptor}
	if d.MediaType.IsIndex() {
		var m v1.IndexManifest
		if err := json.Unmarshal(d.Manifest, &m); err != nil {
			return fmt.Errorf("reading the index: %w", err)
		}
		if len(m.Manifests) > maxAttached {
			return tooMuch("the index has %d images, more than %d", len(m.Manifests), maxAttached)
		}
		of = append(of, m.Manifests...)
	}
	for i, one := range of {
		if !one.MediaType.IsImage() && !one.MediaType.IsIndex() {
			continue
		}
		found, err := k.attested(newShelf(image.Digest(one.Digest.String()), opts))
		if errors.Is(err, ErrNoSBOM) {
			index, beside := i == 0 && d.MediaType.IsIndex(), strings.HasPrefix(platformName(one.Platform), "unknown/") // as in Variants
			if !index && !beside {
				v.Unlisted = append(v.Unlisted, one.Digest.String())
			}
			continue
		}
		if err != nil {
			return err
		}
		if one.Platform != nil {
			found.Platform = one.Platform.String()
		}
		v.SBOMs = append(v.SBOMs, found)
	}
	return nil
}

// spdxDocument is a list of contents, as far as it is needed here.
type spdxDocument struct {
	Version  string            `json:"spdxVersion"`
	Name     string            `json:"name"`
	Packages []json.RawMessage `json:"packages"`
}

// document returns the list of contents that is claimed, an empty one where that
// isn't one.
func (c claim) document() (doc spdxDocument) {
	if json.Unmarshal(c.content, &doc) != nil {
		return spdxDocument{}
	}
	return doc
}

// attested returns the list of contents that the key attests, or ErrNoSBOM. What
// calls itself one and is no SPDX document in JSON is passed over.
func (k *PublicKey) attested(s shelf) (AttestedSBOM, error) {
	attestations, err := s.list(attestationSuffix, envelopeType, maxAttestation)
	if err != nil {
		return AttestedSBOM{}, err
	}
	read := func(a attached) (claim, error) {
		c, err := k.envelope(a)
		if c.document().Version == "" {
			c.predicate = "" // as of "cosign attest --type spdx", which makes one string of all
		}
		return c, err
	}
	found, why := find(attestations, s.image, predicateSPDX, read)
	if why != nil {
		bundles, err := s.bundles()
		if err != nil {
			return AttestedSBOM{}, err
		}
		if found, why = find(bundles, s.image, predicateSPDX, read); why != nil {
			return AttestedSBOM{}, ErrNoSBOM
		}
	}
	doc := found[0].document()
	return AttestedSBOM{Digest: s.image.DigestStr(), Name: doc.Name, Packages: len(doc.Packages)}, nil
}
