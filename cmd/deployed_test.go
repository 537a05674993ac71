package cmd

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/openshift"
)

// newest returns an app whose state folder holds an image of version 2.0.21,
// and its digest.
func newest(t *testing.T) (*app, *bytes.Buffer, string) {
	t.Helper()
	var stderr bytes.Buffer
	a := &app{Out: &bytes.Buffer{}, Err: &stderr, State: filepath.Join(t.TempDir(), "state")}
	cf, err := empty.Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cf = cf.DeepCopy()
	cf.Config.Labels = map[string]string{"version": "2.0.21"}
	img, err := mutate.ConfigFile(empty.Image, cf)
	if err != nil {
		t.Fatal(err)
	}
	if err := image.Write(t.Context(), img, image.Output{Format: image.FormatOCI, Path: a.state().Image()}, "localhost/mosquitto:latest"); err != nil {
		t.Fatal(err)
	}
	last, err := image.Open(a.state().Image())
	if err != nil {
		t.Fatal(err)
	}
	digest, err := last.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return a, &stderr, digest.String()
}

func TestDeployed(t *testing.T) {
	a, stderr, digest := newest(t)
	other := "sha256:" + strings.Repeat("0", 64)
	for _, tc := range []struct{ name, configured, given, ref, version string }{
		{"configured, pinned to the last", "quay.example/m:1", "", "quay.example/m:1@" + digest, "2.0.21"},
		{"configured with its digest", "quay.example/m@" + digest, "", "quay.example/m@" + digest, "2.0.21"},
		{"configured with another's", "quay.example/m@" + other, "", "quay.example/m@" + other, ""},
		{"given, the last", "quay.example/m:1", "r.example/m@" + digest, "r.example/m@" + digest, "2.0.21"},
		{"given, another", "", "r.example/m@" + other, "r.example/m@" + other, ""},
		{"given by tag, whichever that is", "", "r.example/m:2", "r.example/m:2", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := config.Default()
			cfg.Image.Reference = tc.configured
			var to openshift.Options
			if err := a.images(cfg, renderOptions{Image: tc.given}, &to); err != nil || to.Image != tc.ref || to.Version != tc.version {
				t.Errorf("%q, %q, %v; want %q, %q", to.Image, to.Version, err, tc.ref, tc.version)
			}
		})
	}
	if stderr.Len() > 0 {
		t.Errorf("there is nothing to say, but it said %q", stderr)
	}
	var to openshift.Options
	if err := a.images(config.Default(), renderOptions{}, &to); err != nil || to.Image != "localhost/mosquitto:latest" || !strings.Contains(stderr.String(), "--image") {
		t.Errorf("no image named: %+v, %v, and on stderr %q", to, err, stderr)
	}
	empty := &app{Err: stderr, State: t.TempDir()}
	cfg := config.Default()
	cfg.Image.Reference = "quay.example/m:1"
	if err := empty.images(cfg, renderOptions{}, &to); err != nil || to.Image != cfg.Image.Reference || to.Version != "" {
		t.Errorf("nothing built: %+v, %v", to, err)
	}
}

// Where nothing else is said, the agents' image goes with the broker's.
func TestAgentImage(t *testing.T) {
	a, stderr, _ := newest(t)
	for _, tc := range []struct{ name, reference, agent, image, given, want string }{
		{"with the reference", "quay.example/m:1", "", "", "", "quay.example/m-agent:1"},
		{"with the image", "quay.example/m:1", "", "r.example:5000/m@sha256:" + strings.Repeat("0", 64), "", "r.example:5000/m-agent"},
		{"configured", "quay.example/m:1", "quay.example/other:2", "r.example/m:1", "", "quay.example/other:2"},
		{"given", "quay.example/m:1", "quay.example/other:2", "r.example/m:1", "r.example/a:3", "r.example/a:3"},
	} {
		cfg := config.Default()
		cfg.Deploy.Profile, cfg.Image.Reference, cfg.Image.Agent = config.ProfileHA, tc.reference, tc.agent
		var to openshift.Options
		if err := a.images(cfg, renderOptions{Image: tc.image, AgentImage: tc.given}, &to); err != nil || to.AgentImage != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, to.AgentImage, err, tc.want)
		}
	}
	if stderr.Len() > 0 {
		t.Errorf("there is nothing to say, but it said %q", stderr)
	}
	cfg := config.Default()
	cfg.Deploy.Profile = config.ProfileHA
	var to openshift.Options
	if err := a.images(cfg, renderOptions{}, &to); err != nil || to.AgentImage != "localhost/mosquitto-agent:latest" || !strings.Contains(stderr.String(), "--agent-image") {
		t.Errorf("no image named: %+v, %v, and on stderr %q", to, err, stderr)
	}
}
