package image_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

const cosignModule = "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3"

// cosign runs cosign in a home of its own, with a key of its own making.
type cosign struct {
	program, home string
}

func newCosign(t *testing.T) cosign {
	t.Helper()
	program := need.Peer(t, cosignModule, need.SlowPeers)
	c := cosign{program, t.TempDir()}
	if out, err := c.run(t, "generate-key-pair"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return c
}

// deprecated is what cosign says of flags that will go.
var deprecated = regexp.MustCompile(`(?m)^Flag --[a-z-]+ has been deprecated.*\n`)

func (c cosign) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), c.program, args...)
	command.Dir = c.home
	command.Env = []string{"HOME=" + c.home, "PATH=" + os.Getenv("PATH"), "COSIGN_PASSWORD=their secret", "DOCKER_CONFIG=" + c.home}
	out, err := command.CombinedOutput()
	text := deprecated.ReplaceAllString(string(out), "")
	if err != nil {
		return text, fmt.Errorf("cosign %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return text, nil
}

// keys returns what cosign made, as we read it.
func (c cosign) keys(t *testing.T) (*image.Signer, *image.PublicKey) {
	t.Helper()
	var pair [2][]byte
	for i, name := range []string{"cosign.key", "cosign.pub"} {
		var err error
		if pair[i], err = os.ReadFile(filepath.Join(c.home, name)); err != nil {
			t.Fatal(err)
		}
	}
	return loaded(t, pair[0], pair[1], []byte("their secret"))
}

// forms are the arguments by which cosign takes bundles, its default, or what
// it made and read before.
var forms = map[string]string{"bundles": "--new-bundle-format=true", "tags": "--new-bundle-format=false"}

// TestCosignTakesOurSignature and attestation, in both forms, by a key of its
// own or of ours, whether or not the registry lists referrers.
func TestCosignTakesOurSignature(t *testing.T) {
	c := newCosign(t)
	img := testImage(t)
	private, public, err := image.GenerateKey([]byte("our secret"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"ours.pub": public, "ours.key": private} {
		if err := os.WriteFile(filepath.Join(c.home, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ours, _ := loaded(t, private, public, []byte("our secret"))
	theirs, _ := c.keys(t)
	for _, lists := range []bool{true, false} {
		for key, signer := range map[string]*image.Signer{"ours.pub": ours, "cosign.pub": theirs} {
			host := serve(t, referring(lists))
			o := pushTo(host)
			o.Signer = signer
			if _, err := image.Push(t.Context(), img, o); err != nil {
				t.Fatal(err)
			}
			other := map[string]string{"ours.pub": "cosign.pub", "cosign.pub": "ours.pub"}[key]
			for form, flag := range forms {
				what := fmt.Sprintf("%s, %s, a list of referrers: %v", form, key, lists)
				for _, command := range [][]string{{"verify"}, {"verify-attestation", "--type", "spdxjson"}} {
					args := append(command, "--insecure-ignore-tlog=true", flag)
					out, err := c.run(t, append(args, "--key", key, o.Reference)...)
					if err != nil || command[0] == "verify" && !strings.Contains(out, digest(t, img)) {
						t.Errorf("%s: %v, %s", what, err, out)
					}
					if out, err := c.run(t, append(args, "--key", other, o.Reference)...); err == nil {
						t.Errorf("%s: cosign takes it as signed by %s: %s", what, other, out)
					}
				}
			}
			// Where there are none, cosign looks at the tags instead.
			if n := len(bundles(t, host, digest(t, img))); n != 2 {
				t.Errorf("%d bundles refer to the image, want 2", n)
			}
		}
	}
}

// TestVerifyTakesCosignsSignature and attestation, in both forms, by a key of
// its own or of ours.
func TestVerifyTakesCosignsSignature(t *testing.T) {
	c := newCosign(t)
	img := testImage(t)
	data, doc := sbom(t, img)
	if err := os.WriteFile(filepath.Join(c.home, "sbom.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, theirs := c.keys(t)
	_, other := keyPair(t)
	for _, lists := range []bool{true, false} {
		for form, flag := range forms {
			host := serve(t, referring(lists))
			o := pushTo(host)
			pushed, err := image.Push(t.Context(), img, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, command := range [][]string{{"sign"}, {"attest", "--type", "spdxjson", "--predicate", "sbom.json"}} {
				if _, err := c.run(t, append(command, "--yes", "--tlog-upload=false", "--use-signing-config=false", flag, "--key", "cosign.key", pushed.Reference)...); err != nil {
					t.Fatal(err)
				}
			}
			v, err := image.Verify(t.Context(), o.Reference, theirs, readOnce)
			if err != nil || len(v.SBOMs) != 1 || v.SBOMs[0].Packages != len(doc.Packages) {
				t.Errorf("%s, a list of referrers: %v: %+v, %v", form, lists, v, err)
			}
			if v, err := image.Verify(t.Context(), o.Reference, other, readOnce); err == nil {
				t.Errorf("%s, a list of referrers: %v: %+v by another key", form, lists, v)
			}
		}
	}
}
