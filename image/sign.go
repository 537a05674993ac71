package image

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// signAll signs images and indexes and, where they have one, the lists of their
// contents.
func (s *Signer) signAll(as name.Tag, all []listed, opts []remote.Option) error {
	for _, one := range all {
		if err := s.sign(as, one.Artifact, one.list, opts); err != nil {
			return err
		}
	}
	return nil
}

// sign puts beside what, an image or an index, which needn't be in the registry
// yet, what "cosign verify --key" and "cosign verify-attestation --key --type
// spdxjson" look for: under the tags sha256-DIGEST.sig and .att, and, for those
// of version 3, bundles that refer to it. What the key has said before isn't
// said again. The payload names the tag, as podman's policy.json and
// OpenShift's ClusterImagePolicy want it by default. No transparency log is
// told. A registry that takes no artifacts gets no bundles; with no sbom there
// is no attestation.
func (s *Signer) sign(as name.Tag, what partial.Describable, sbom []byte, opts []remote.Option) error {
	digest, err := what.Digest()
	if err != nil {
		return err
	}
	shelf := newShelf(as.Digest(digest.String()), opts)
	if err := s.signPayload(shelf, repositoryName(as)+":"+as.TagStr()); err != nil {
		return err
	}
	if err := s.attest(shelf, what, predicateSignature, []byte("{}")); err != nil {
		return err
	}
	if sbom == nil {
		return nil
	}
	return s.attest(shelf, what, predicateSPDX, sbom)
}

func (s *Signer) signPayload(shelf shelf, identity string) error {
	list, err := shelf.list(signatureSuffix, payloadType, maxPayload)
	if err != nil {
		return err
	}
	signed, err := s.payload(shelf.image, identity)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	if has(list, signed.data, s.public.payload) {
		return nil
	}
	// The same image under a new tag is signed under that name as well, the oldest
	// names giving way at last: Verify accepts it by any of them.
	var older []string
	for _, a := range list {
		if c, err := s.public.payload(a); err == nil && c.about(shelf.image.DigestStr()) {
			older = append(older, a.signature)
		}
	}
	return shelf.add(signatureSuffix, signed, payloadType, map[string]string{}, older)
}

// attest says something about what, in a bundle and, unless it is that it is
// signed, which the payload says there, under the tag for attestations.
func (s *Signer) attest(shelf shelf, what partial.Describable, predicate string, content []byte) error {
	envelope, err := s.envelope(shelf.image, predicate, content)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	said, err := s.public.envelope(envelope)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	bundles, err := shelf.bundles()
	if err != nil {
		return err
	}
	if !has(bundles, said.raw, s.public.envelope) {
		data, err := s.bundled(envelope.data)
		if err != nil {
			return err
		}
		if err := shelf.refer(data, predicate, what); err != nil {
			return err
		}
	}
	if predicate == predicateSignature {
		return nil
	}
	list, err := shelf.list(attestationSuffix, envelopeType, maxAttestation)
	if err != nil || has(list, said.raw, s.public.envelope) {
		return err
	}
	return shelf.add(attestationSuffix, envelope, envelopeType, map[string]string{predicateNote: predicate}, nil)
}
