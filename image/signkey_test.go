package image_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestKeysAreEncrypted(t *testing.T) {
	private, public, err := image.GenerateKey([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(private)
	if block == nil || block.Type != "ENCRYPTED SIGSTORE PRIVATE KEY" {
		t.Fatalf("key = %s", private)
	}
	empty, _, err := image.GenerateKey(nil)
	if err != nil || !bytes.HasPrefix(empty, []byte("-----BEGIN ENCRYPTED SIGSTORE")) {
		t.Errorf("with an empty password: %.40s, %v", empty, err)
	}
	older := bytes.ReplaceAll(private, []byte("SIGSTORE"), []byte("COSIGN"))
	der, err := encrypted.Decrypt(block.Bytes, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	plain := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for what, c := range map[string]struct {
		key      []byte
		password string
		hint     string // "" where it can be read
	}{
		"right":           {private, "secret", ""},
		"cosign's older":  {older, "secret", ""},
		"empty password":  {empty, "", ""},
		"wrong":           {private, "Secret", "is the password right"},
		"none":            {private, "", "is the password right"},
		"one too many":    {empty, "x", "is the password right"},
		"not encrypted":   {plain, "", "cosign import-key-pair"},
		"the public half": {public, "", "cosign import-key-pair"},
		"nothing":         {nil, "", "mosqbuild image key"},
		"garbage":         {[]byte("garbage"), "", "mosqbuild image key"},
		"not JSON":        {pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: []byte("x")}), "", "is the password right"},
		"other scrypt":    {pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: bytes.Replace(block.Bytes, []byte(`"N":65536`), []byte(`"N":1073741824`), 1)}), "secret", "is the password right"},
	} {
		s, err := image.LoadSigner(c.key, []byte(c.password))
		if c.hint == "" {
			if err != nil || s == nil {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if fault.CodeOf(err) != fault.Usage || !strings.Contains(fault.HintOf(err), c.hint) || strings.Contains(err.Error(), "ecret") {
			t.Errorf("%s: %v, hint %q", what, err, fault.HintOf(err))
		}
	}
}

// Keys of other kinds, which cosign imports, do too.
func TestKeysOfOtherKinds(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	img := testImage(t)
	for what, pair := range map[string][2]any{"RSA": {rsaKey, rsaKey.Public()}, "Ed25519": {edKey, edKey.Public()}} {
		der, err := x509.MarshalPKCS8PrivateKey(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		if der, err = encrypted.Encrypt(der, []byte("x")); err != nil {
			t.Fatal(err)
		}
		half, err := x509.MarshalPKIXPublicKey(pair[1])
		if err != nil {
			t.Fatal(err)
		}
		o := pushTo(serve(t, newFakeRegistry()))
		var key *image.PublicKey
		o.Signer, key = loaded(t, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: der}),
			pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: half}), []byte("x"))
		if _, err := image.Push(t.Context(), img, o); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := image.Verify(t.Context(), o.Reference, key, readOnce); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, data := range []string{"", "garbage", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if _, err := image.LoadPublicKey([]byte(data)); fault.CodeOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", data, err)
		}
	}
}
