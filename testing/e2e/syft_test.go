package e2e_test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/image/inspect"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// syft is the scanner's command line; its module's versions come every other week.
const syft = "github.com/anchore/syft/cmd/syft@v1.57.1"

// cataloged returns what syft finds in source of a kind, by name and version, and
// each one's package URL.
func cataloged(t *testing.T, program, dir, kind string, args ...string) map[string]string {
	t.Helper()
	env := []string{"SYFT_CHECK_FOR_APP_UPDATE=false", "SYFT_CACHE_DIR=" + t.TempDir()}
	r := try(t, dir, env, program, append(args, "--quiet", "--output", "json")...)
	if r.code != 0 {
		t.Fatalf("syft %q: exit %d\n%s", args, r.code, r.err)
	}
	var found struct {
		Artifacts []struct{ Name, Version, Type, PURL string }
	}
	if err := json.Unmarshal([]byte(r.out), &found); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, a := range found.Artifacts {
		switch { // syft words two versions of a program otherwise than those who read a list
		case a.Type != kind:
		case a.Name == "stdlib":
			all[a.Name+" "+strings.TrimPrefix(a.Version, "go")] = a.PURL
		case a.Version == "UNKNOWN" || a.Version == "(devel)": // of the module that it is built in
			all[a.Name+" (devel)"] = a.PURL
		default:
			all[a.Name+" "+a.Version] = a.PURL
		}
	}
	return all
}

// TestSyftListsTheSame packages of the image, from apk's database in it and from
// our list of contents, as "image inspect" does; and of the agents' image the
// modules, from the program and from the list.
func TestSyftListsTheSame(t *testing.T) {
	program := need.Peer(t, syft, need.SlowPeers)
	localPackages(t)
	agent := filepath.Join(t.TempDir(), "mosqagent")
	if r := try(t, "", []string{"CGO_ENABLED=0"}, "go", "build", "-o", agent, "github.com/mosqbuild/mosqbuild/cmd/mosqagent"); r.code != 0 {
		t.Fatal(r.err)
	}
	for kind, args := range map[string][]string{"apk": {"--local", "--shell"}, "go-module": {"--component", "agent", "--agent", agent}} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			mosqbuild(t, dir, append([]string{"image", "build", "-o", "oci-archive:image.tar"}, args...)...)
			run(t, dir, "skopeo", "copy", "--quiet", "oci-archive:image.tar", "oci:layout:x")
			run(t, dir, "umoci", "unpack", "--image", "layout:x", "bundle")
			list := filepath.Join("bundle", "rootfs", "var/lib/db/sbom/image.spdx.json")
			cataloger, _, _ := strings.Cut(kind, "-")
			scanned := cataloged(t, program, dir, kind, "scan", "oci-archive:image.tar", "--override-default-catalogers", cataloger)
			listed := cataloged(t, program, dir, kind, "convert", list)
			if got, want := slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(scanned)); !slices.Equal(got, want) || len(got) < 10 {
				t.Errorf("in the list %d: %q\nin the image %d: %q", len(got), got, len(want), want)
			}
			if kind != "apk" {
				return
			}
			var shown inspect.Description
			if err := json.Unmarshal([]byte(mosqbuild(t, dir, "image", "inspect", "--format", "json")), &shown); err != nil {
				t.Fatal(err)
			}
			for _, p := range shown.Packages {
				if purl := listed[p.Name+" "+p.Version]; !strings.HasPrefix(purl, "pkg:apk/") {
					t.Errorf("%s %s is %q to syft", p.Name, p.Version, purl)
				}
				delete(listed, p.Name+" "+p.Version)
			}
			if len(listed) > 0 {
				t.Errorf("syft alone lists %q", listed)
			}
		})
	}
}
