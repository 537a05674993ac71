package image

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	signeddsse "github.com/sigstore/sigstore/pkg/signature/dsse"
	"github.com/sigstore/sigstore/pkg/signature/payload"
)

// What cosign signs, and how it names it: the payload
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md, and the
// statements https://github.com/sigstore/cosign/blob/main/specs/ATTESTATION_SPEC.md.
const (
	payloadType        = "application/vnd.dev.cosign.simplesigning.v1+json"
	payloadSignature   = "dev.cosignproject.cosign/signature" // annotation
	envelopeType       = "application/vnd.dsse.envelope.v1+json"
	statementType      = "application/vnd.in-toto+json"
	statementVersion   = "https://in-toto.io/Statement/v0.1"
	predicateNote      = "predicateType" // annotation
	predicateSPDX      = "https://spdx.dev/Document"
	predicateSignature = "https://sigstore.dev/cosign/sign/v1"
	bundleType         = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// claim is what was said of an image, and by the key in question.
type claim struct {
	raw       []byte   // what was signed
	digests   []string // of what it is said
	identity  string   // the name under which it was signed, of payloads alone
	predicate string   // type, of statements alone
	content   json.RawMessage
}

// about says whether the claim is about the image of that digest.
func (c claim) about(digest string) bool { return slices.Contains(c.digests, digest) }

// statement is in-toto's, as far as it is needed here.
type statement struct {
	Type          string          `json:"_type"`
	PredicateType string          `json:"predicateType"`
	Subject       []subject       `json:"subject"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// bundle is Sigstore's, as far as it is needed here:
// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto.
type bundle struct {
	MediaType string `json:"mediaType"`
	Material  struct {
		PublicKey struct {
			Hint string `json:"hint"`
		} `json:"publicKey"`
	} `json:"verificationMaterial"`
	Envelope json.RawMessage `json:"dsseEnvelope"`
}

// payload signs that the image of that digest is the one called identity.
func (s *Signer) payload(image name.Digest, identity string) (attached, error) {
	data, err := payload.Cosign{Image: image, ClaimedIdentity: identity}.MarshalJSON()
	if err != nil {
		return attached{}, err
	}
	raw, err := s.SignMessage(bytes.NewReader(data))
	return attached{data, base64.StdEncoding.EncodeToString(raw)}, err
}

// envelope signs a statement about an image.
func (s *Signer) envelope(image name.Digest, predicate string, content []byte) (attached, error) {
	_, sum, _ := bytes.Cut([]byte(image.DigestStr()), []byte(":"))
	body, err := json.Marshal(statement{
		Type: statementVersion, PredicateType: predicate, Predicate: content,
		Subject: []subject{{Name: image.Repository.Name(), Digest: map[string]string{"sha256": string(sum)}}},
	})
	if err != nil {
		return attached{}, err
	}
	data, err := signeddsse.WrapSigner(s, statementType).SignMessage(bytes.NewReader(body))
	return attached{data: data}, err
}

// bundled returns the bundle of an envelope.
func (s *Signer) bundled(envelope []byte) ([]byte, error) {
	b := bundle{MediaType: bundleType, Envelope: envelope}
	b.Material.PublicKey.Hint = s.public.hint
	return json.Marshal(b)
}

// payload checks the signature of a payload and reads it.
func (k PublicKey) payload(a attached) (claim, error) {
	raw, err := base64.StdEncoding.DecodeString(a.signature)
	if err != nil {
		return claim{}, fmt.Errorf("reading the signature: %w", err)
	}
	if err := k.verifier.VerifySignature(bytes.NewReader(raw), bytes.NewReader(a.data)); err != nil {
		return claim{}, err
	}
	var p payload.SimpleContainerImage
	if err := json.Unmarshal(a.data, &p); err != nil {
		return claim{}, fmt.Errorf("reading what was signed: %w", err)
	}
	if p.Critical.Type != payload.CosignSignatureType {
		return claim{}, fmt.Errorf("what was signed is a %q, not a %q", p.Critical.Type, payload.CosignSignatureType)
	}
	return claim{raw: a.data, digests: []string{p.Critical.Image.DockerManifestDigest}, identity: usualName(p.Critical.Identity.DockerReference)}, nil
}

// envelope checks the signature in an envelope and reads the statement.
func (k PublicKey) envelope(a attached) (claim, error) {
	var e dsse.Envelope
	if err := json.Unmarshal(a.data, &e); err != nil {
		return claim{}, fmt.Errorf("reading the envelope: %w", err)
	}
	if len(e.Signatures) > maxAttached {
		return claim{}, fmt.Errorf("the envelope has %d signatures, more than %d", len(e.Signatures), maxAttached)
	}
	if err := signeddsse.WrapVerifier(k.verifier).VerifySignature(bytes.NewReader(a.data), nil); err != nil {
		return claim{}, err
	}
	if e.PayloadType != statementType {
		return claim{}, fmt.Errorf("what was signed is of type %q, not %q", e.PayloadType, statementType)
	}
	body, err := e.DecodeB64Payload()
	if err != nil {
		return claim{}, fmt.Errorf("reading what was signed: %w", err)
	}
	var s statement
	if err := json.Unmarshal(body, &s); err != nil {
		return claim{}, fmt.Errorf("reading what was signed: %w", err)
	}
	c := claim{raw: body, predicate: s.PredicateType, content: s.Predicate}
	for _, about := range s.Subject {
		if sum := about.Digest["sha256"]; sum != "" {
			c.digests = append(c.digests, "sha256:"+sum)
		}
	}
	return c, nil
}

// envelopeOf takes the envelope out of a bundle.
func envelopeOf(data []byte) ([]byte, error) {
	var b bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("reading the bundle: %w", err)
	}
	if len(b.Envelope) == 0 {
		return nil, errors.New("the bundle holds no envelope")
	}
	return b.Envelope, nil
}
