package image

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

// fuzzSigner signs, and reads what may be signed by it.
func fuzzSigner(f *testing.F) (*Signer, name.Digest) {
	f.Helper()
	private, _, err := GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	s, err := LoadSigner(private, nil)
	if err != nil {
		f.Fatal(err)
	}
	d, err := name.NewDigest("registry.example.com/mosquitto@sha256:0000000000000000000000000000000000000000000000000000000000000000")
	if err != nil {
		f.Fatal(err)
	}
	return s, d
}

// FuzzPayload: nothing but what was signed is taken for it.
func FuzzPayload(f *testing.F) {
	s, d := fuzzSigner(f)
	signed, err := s.payload(d, "registry.example.com/mosquitto:1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed.data, signed.signature)
	f.Add([]byte("{}"), "")
	f.Add([]byte(`{"critical":{"type":"cosign container image signature"}}`), "MAA=")
	f.Fuzz(func(t *testing.T, data []byte, sig string) {
		c, err := s.public.payload(attached{data, sig})
		if err == nil && (!bytes.Equal(data, signed.data) || !c.about(d.DigestStr())) {
			t.Errorf("%q, signed %q, is taken as signed: %+v", data, sig, c)
		}
	})
}

// FuzzEnvelope: so with statements, whatever the envelope, and in bundles.
func FuzzEnvelope(f *testing.F) {
	s, d := fuzzSigner(f)
	signed, err := s.envelope(d, predicateSPDX, []byte(`{"name":"x"}`))
	if err != nil {
		f.Fatal(err)
	}
	said, err := s.public.envelope(signed)
	if err != nil {
		f.Fatal(err)
	}
	bundled, err := s.bundled(signed.data)
	if err != nil {
		f.Fatal(err)
	}
	for _, data := range [][]byte{signed.data, bundled, []byte("{}"), []byte(`{"payload":"","payloadType":"","signatures":[{"sig":""},{}]}`), []byte(`{"dsseEnvelope":null}`)} {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list := []attached{{data: data}}
		if inner, err := envelopeOf(data); err == nil {
			if !json.Valid(inner) {
				t.Errorf("%q holds the envelope %q", data, inner)
			}
			list = append(list, attached{data: inner})
		}
		for _, a := range list {
			if c, err := s.public.envelope(a); err == nil && (!bytes.Equal(c.raw, said.raw) || !c.about(d.DigestStr())) {
				t.Errorf("%q is taken as signed: %+v", a.data, c)
			}
		}
	})
}

// FuzzSigningKey: a key that can be read signs what its public half verifies.
func FuzzSigningKey(f *testing.F) {
	private, public, err := GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	locked, _, err := GenerateKey([]byte("secret"))
	if err != nil {
		f.Fatal(err)
	}
	for _, data := range [][]byte{private, public, locked, private[:len(private)/2], []byte("-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----\ne30=\n-----END ENCRYPTED COSIGN PRIVATE KEY-----\n")} {
		f.Add(data)
	}
	_, d := fuzzSigner(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if k, err := LoadPublicKey(data); (err == nil) != (k != nil) {
			t.Errorf("%q: %v", data, err)
		}
		s, err := LoadSigner(data, nil)
		if err != nil {
			return
		}
		signed, err := s.payload(d, "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.public.payload(signed); err != nil {
			t.Errorf("%q signs what it doesn't verify: %v", data, err)
		}
	})
}
