package image

import (
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

func TestParseReference(t *testing.T) {
	for in, want := range map[string]string{
		"quay.io/example/mosquitto":        "quay.io/example/mosquitto:latest",
		"quay.io/example/mosquitto:2.0":    "quay.io/example/mosquitto:2.0",
		"localhost/mosquitto":              "localhost/mosquitto:latest",
		"localhost:5000/a.b/c:x":           "localhost:5000/a.b/c:x",
		"127.0.0.1:5000/mq":                "127.0.0.1:5000/mq:latest",
		"[::1]:5000/mq":                    "[::1]:5000/mq:latest",
		"docker.io/user/app":               "index.docker.io/user/app:latest",
		"docker.io/app":                    "index.docker.io/library/app:latest",
		"registry.example.com:443/a/b/c:1": "registry.example.com:443/a/b/c:1",
	} {
		if got, err := parseReference(in); err != nil || got.Name() != want {
			t.Errorf("parseReference(%q) = %q, %v, want %q", in, got.Name(), err, want)
		}
	}
	for _, in := range []string{"", "mosquitto", "user/app", "quay.io/", "quay.io/UPPER", "quay.io/a:b:c", "quay.io/a@sha256:0", "qu ay.io/a", "/a"} {
		if got, err := parseReference(in); fault.CodeOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("parseReference(%q) = %q, %v, want a usage error with a hint", in, got, err)
		}
	}
}

// A payload of cosign's may name Docker Hub as nobody writes it.
func TestUsualName(t *testing.T) {
	for in, want := range map[string]string{
		"index.docker.io/you/mosquitto": "docker.io/you/mosquitto", "index.docker.io/you/mosquitto:1": "docker.io/you/mosquitto:1",
		"docker.io/you/mosquitto": "docker.io/you/mosquitto", "quay.io/index.docker.io/a": "quay.io/index.docker.io/a", "": "",
	} {
		if got := usualName(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestCheckPullable(t *testing.T) {
	digest := "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, ref := range []string{"mosquitto", "r.example/m:1", "[::1]:5000/a/b", "a/b__c-d.e:x", "quay.io/a/b:1", "quay.io/a/b" + digest, "localhost/a/b:latest" + digest, "a:" + strings.Repeat("t", 128)} {
		if err := CheckPullable(ref); err != nil {
			t.Errorf("%q: %v", ref, err)
		}
	}
	for _, ref := range []string{"", "a b", "quay.io/a@sha256:0", "https://quay.io/a/b", "quay.io/A/b", "a:" + strings.Repeat("t", 129), "a@sha256:", "a" + digest + "0", "a:", "a:-"} {
		if err := CheckPullable(ref); fault.CodeOf(err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%q: %v, want a usage error with a hint", ref, err)
		}
	}
}

// FuzzParseReference holds on to what keeps keys at home: the registry that is
// asked whether it is on loopback is the one that is pushed to.
func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"localhost/a", "localhost:1/a:b", "127.0.0.1/a", "[::1]:5/a", "quay.io/a/b:c", "docker.io/a", "127.0.0.1.example.com/a", "localhost@evil.example/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tag, err := parseReference(s)
		if err == nil && IsLoopback(s) != loopbackHost(tag.RegistryStr()) {
			t.Errorf("%q: loopback %v, but it goes to %q", s, IsLoopback(s), tag.RegistryStr())
		}
	})
}

func TestIsLoopback(t *testing.T) {
	for in, want := range map[string]bool{
		"localhost/a": true, "localhost:5000/a": true, "LOCALHOST:5000/a": true, "127.0.0.1:5000/a": true,
		"127.8.9.10/a": true, "[::1]:5000/a": true, "[::ffff:127.0.0.1]:5000/a": true,
		"quay.io/localhost": false, "localhost.example.com/a": false, "127.0.0.1.nip.io/a": false,
		"10.0.0.1:5000/a": false, "0.0.0.0:5000/a": false, "[2001:db8::1]:5000/a": false, "registry.local/a": false, "": false,
	} {
		if got := IsLoopback(in); got != want {
			t.Errorf("IsLoopback(%q) = %v, want %v", in, got, want)
		}
	}
}
