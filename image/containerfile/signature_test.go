//go:build buildah

package containerfile_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/docker"
	podman "go.podman.io/image/v5/image"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/signature/signer"
	"go.podman.io/image/v5/signature/sigstore"
	"go.podman.io/image/v5/types"

	"github.com/mosqbuild/mosqbuild/image"
)

// registries starts a registry, and returns its HOST:PORT and how podman's
// library speaks to it: with signatures beside the images.
func registries(t *testing.T) (host string, sys *types.SystemContext) {
	t.Helper()
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	host = strings.TrimPrefix(s.URL, "http://")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "test.yaml"), fmt.Appendf(nil, "docker:\n  %s:\n    use-sigstore-attachments: true\n", host), 0o600); err != nil {
		t.Fatal(err)
	}
	return host, &types.SystemContext{RegistriesDirPath: dir, DockerInsecureSkipTLSVerify: types.OptionalBoolTrue, DockerAuthConfig: &types.DockerAuthConfig{}}
}

// policy is podman's, CRI-O's and so OpenShift's: images need a signature by the
// key in that file; with none, anything goes.
func policy(t *testing.T, key string) *signature.PolicyContext {
	t.Helper()
	text := `{"default": [{"type": "insecureAcceptAnything"}]}`
	if key != "" {
		text = fmt.Sprintf(`{"default": [{"type": "sigstoreSigned", "keyPath": %q}]}`, key)
	}
	p, err := signature.NewPolicyFromBytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := signature.NewPolicyContext(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Destroy() })
	return c
}

func dockerReference(t *testing.T, ref string) types.ImageReference {
	t.Helper()
	r, err := docker.ParseReference("//" + ref)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// allowed says whether the policy lets the image run.
func allowed(ctx context.Context, t *testing.T, p *signature.PolicyContext, sys *types.SystemContext, ref string) error {
	t.Helper()
	source, err := dockerReference(t, ref).NewImageSource(ctx, sys)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	ok, err := p.IsRunningImageAllowed(ctx, podman.UnparsedInstance(source, nil))
	if ok != (err == nil) {
		t.Errorf("allowed %v, %v", ok, err)
	}
	return err
}

// keyFiles makes a key with podman's library; the password is secret.
func keyFiles(t *testing.T) (private, public string, signs *image.Signer, verifies *image.PublicKey) {
	t.Helper()
	pair, err := sigstore.GenerateKeyPair([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	private, public = filepath.Join(dir, "cosign.key"), filepath.Join(dir, "cosign.pub")
	for path, data := range map[string][]byte{private: pair.PrivateKey, public: pair.PublicKey} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if signs, err = image.LoadSigner(pair.PrivateKey, []byte("secret")); err != nil {
		t.Fatal(err)
	}
	if verifies, err = image.LoadPublicKey(pair.PublicKey); err != nil {
		t.Fatal(err)
	}
	return private, public, signs, verifies
}

// TestPodmanTakesOurSignature with its own default, by which the signature has
// to name the tag.
func TestPodmanTakesOurSignature(t *testing.T) {
	host, sys := registries(t)
	_, public, signs, _ := keyFiles(t)
	_, other, _, _ := keyFiles(t)
	img, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	o := image.PushOptions{Reference: host + "/test/mosquitto:1", RetryDelay: time.Millisecond}
	if _, err := image.Push(t.Context(), img, o); err != nil {
		t.Fatal(err)
	}
	if err := allowed(t.Context(), t, policy(t, public), sys, o.Reference); err == nil {
		t.Error("an image without a signature may run: nothing is checked")
	}
	o.Signer = signs
	pushed, err := image.Push(t.Context(), img, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{o.Reference, pushed.Reference} {
		if err := allowed(t.Context(), t, policy(t, public), sys, ref); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
		if err := allowed(t.Context(), t, policy(t, other), sys, ref); err == nil {
			t.Errorf("%s: it may run with another key", ref)
		}
	}
}

// TestVerifyTakesPodmansSignature of "podman push" and "skopeo copy" with
// --sign-by-sigstore-private-key.
func TestVerifyTakesPodmansSignature(t *testing.T) {
	host, sys := registries(t)
	private, _, _, verifies := keyFiles(t)
	_, _, _, other := keyFiles(t)
	img, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	o := image.PushOptions{Reference: host + "/test/unsigned:1", RetryDelay: time.Millisecond}
	if _, err := image.Push(t.Context(), img, o); err != nil {
		t.Fatal(err)
	}
	s, err := sigstore.NewSigner(sigstore.WithPrivateKeyFile(private, []byte("secret")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ref := host + "/test/signed:1"
	if _, err := copy.Image(t.Context(), policy(t, ""), dockerReference(t, ref), dockerReference(t, o.Reference), &copy.Options{
		SourceCtx: sys, DestinationCtx: sys, Signers: []*signer.Signer{s}, PreserveDigests: true,
	}); err != nil {
		t.Fatal(err)
	}
	read := image.ReadOptions{RetryDelay: time.Millisecond}
	if v, err := image.Verify(t.Context(), ref, verifies, read); err != nil || v.Identity != ref {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := image.Verify(t.Context(), ref, other, read); err == nil {
		t.Error("it is taken as another key's")
	}
}
