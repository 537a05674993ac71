package image

import (
	"bytes"
	"encoding/json"
	"path"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/packages"
)

// FuzzLicenseFiles: an index must not decide where a file goes.
func FuzzLicenseFiles(f *testing.F) {
	for _, s := range []string{"MIT", "EPL-2.0 OR BSD-3-Clause", "(MIT AND Zlib) GPL-2.0-or-later WITH x", "../../etc/passwd", "..", "custom:multiple", "MIT/../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, l := range licenseFiles(&packages.Lock{Packages: []packages.Package{{License: s}}}) {
			if path.Dir(path.Clean(l.Path)) != "/licenses" || len(l.Data) == 0 {
				t.Errorf("%q: file %q of %d bytes", s, l.Path, len(l.Data))
			}
		}
	})
}

// FuzzMerge: what packages bring stays, what the broker needs is there, and
// merging twice is merging once.
func FuzzMerge(f *testing.F) {
	for _, s := range []string{"root:x:0:root\nbin:x:1:root,bin,daemon\nnogroup:x:65533:\nnobody:x:65534:\n", "\n", "root:x:0:root", "root:x:0:\nmosquitto:x:100:", "wheel:x:0:", "broken", "a:b:1883:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := string(merge([]byte(s), groupLines))
		if !strings.HasPrefix(got, strings.TrimRight(s, "\n")) {
			t.Errorf("%q became %q", s, got)
		}
		if again := string(merge([]byte(got), groupLines)); again != got {
			t.Errorf("%q became %q, then %q", s, got, again)
		}
		if !strings.Contains(got, ":0") && !strings.Contains(got, "root:") {
			t.Errorf("%q became %q, which names no gid 0", s, got)
		}
	})
}

// FuzzLogins: no file makes a login for a registry that it doesn't name.
func FuzzLogins(f *testing.F) {
	for _, s := range []string{
		`{"auths":{"quay.io":{"auth":"YTpi"}}}`, `{"auths":{"https://quay.io/v1/":{"username":"a"}}}`, `{"auths":{"quay.io/example":{"auth":"!"}}}`,
		`{"auths":{"":{"auth":"YTpi"}}}`, `{"auths":{"docker.io":{"auth":"YTpi"}}}`, `{}`, `{"auths":null}`,
	} {
		f.Add([]byte(s))
	}
	repository, err := name.NewRepository("quay.io/example/mosquitto")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var file authFile
		if json.Unmarshal(data, &file) != nil {
			return
		}
		file.CredHelpers, file.CredsStore = nil, "" // no programs are run here
		cfg, err := file.login(t.Context(), repository)
		if (cfg != nil || err != nil) && !bytes.Contains(data, []byte(`quay`)) && !bytes.Contains(data, []byte(`\u`)) {
			t.Errorf("%q gave %+v, %v", data, cfg, err)
		}
	})
}

// FuzzPorts: only numbers that the configuration names are exposed.
func FuzzPorts(f *testing.F) {
	for _, s := range []string{"listener 1883", "listener 8883 0.0.0.0\nlistener 1884 ::1", "listener 0 /run/s", "#listener 1", "listener x\nlistener -5\n listener 7"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for p := range ports([]files.File{{Path: "/mosquitto/config/mosquitto.conf", Data: data}}) {
			if n, ok := strings.CutSuffix(p, "/tcp"); !ok || !bytes.Contains(data, []byte(n)) {
				t.Errorf("%q exposes %q", data, p)
			}
		}
	})
}
