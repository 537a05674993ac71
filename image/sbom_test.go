package image_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/package-url/packageurl-go"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/packages"
)

// sbomPath is where the documentation says that the list is.
const sbomPath = "/var/lib/db/sbom/image.spdx.json"

// sbom returns the list in the image, as it is and as the SPDX project's own
// library reads it.
func sbom(t *testing.T, img image.Image) ([]byte, *spdx.Document) {
	t.Helper()
	f, ok := find(layerFiles(t, img, 1), sbomPath[1:])
	if !ok || f.Mode != 0o644 {
		t.Fatalf("%s: there %v, mode %o", sbomPath, ok, f.Mode)
	}
	doc, err := spdxjson.Read(bytes.NewReader(f.data))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		t.Error(err)
	}
	return f.data, doc
}

// installedPackages are name and version of every package in the apk database.
func installedPackages(t *testing.T, img image.Image) []string {
	t.Helper()
	f, _ := find(layerFiles(t, img, 0), "lib/apk/db/installed")
	var list []string
	for line := range strings.Lines(string(f.data)) {
		if name, ok := strings.CutPrefix(line, "P:"); ok {
			list = append(list, strings.TrimSpace(name))
		} else if version, ok := strings.CutPrefix(line, "V:"); ok {
			list[len(list)-1] += " " + strings.TrimSpace(version)
		}
	}
	slices.Sort(list)
	return list
}

func TestSBOMListsWhatIsInTheImage(t *testing.T) {
	img := testImage(t)
	_, doc := sbom(t, img)
	if doc.SPDXVersion != "SPDX-2.3" || doc.DataLicense != "CC0-1.0" || doc.CreationInfo.Created != "1970-01-01T00:00:00Z" {
		t.Errorf("document = %+v, created %s", doc, doc.CreationInfo.Created)
	}
	described, err := spdxlib.GetDescribedPackageIDs(doc)
	if err != nil || len(described) != 1 || doc.Packages[0].PackageSPDXIdentifier != described[0] || doc.Packages[0].PrimaryPackagePurpose != "CONTAINER" {
		t.Errorf("it describes %v, %v", described, err)
	}
	var got []string
	for _, p := range doc.Packages[1:] {
		got = append(got, p.PackageName+" "+p.PackageVersion)
		if !strings.Contains(p.PackageComment, " Q1") {
			t.Errorf("%s: comment %q", p.PackageName, p.PackageComment)
		}
		u, err := packageurl.FromString(p.PackageExternalReferences[0].Locator)
		if err != nil || u.Name != p.PackageName || u.Version != p.PackageVersion {
			t.Errorf("%s: package URL %v, %v", p.PackageName, u, err)
		}
	}
	slices.Sort(got)
	if want := installedPackages(t, img); len(want) < 2 || !slices.Equal(got, want) {
		t.Errorf("packages = %q, want those of the database: %q", got, want)
	}
	if _, p := sbom(t, img); p.Packages[2].PackageName != "mosquitto" || p.Packages[2].PackageLicenseDeclared != "EPL-2.0 OR BSD-3-Clause" {
		t.Errorf("the broker is %+v", p.Packages[2])
	}
	how := map[string]int{}
	for _, r := range doc.Relationships {
		how[r.Relationship]++
	}
	// A package whose files weren't analysed contains none: SPDX 2.3, 7.8.
	if want := map[string]int{"DESCRIBES": 1, "CONTAINS": len(got), "FILE_ADDED": len(doc.Files)}; !maps.Equal(how, want) {
		t.Errorf("relationships %v, want %v", how, want)
	}
}

// TestSBOMNamesItselfByItsContent: the same content has the same name, another
// content another.
func TestSBOMNamesItselfByItsContent(t *testing.T) {
	s, _ := testSpec(t, testRepository(t, testPackages(1<<10)))
	data, doc := sbom(t, build(t, s))
	s.Bundle.Defaults = nil
	if other, _ := sbom(t, build(t, s)); !bytes.Equal(data, other) {
		t.Error("it depends on the test credentials")
	}
	names := map[string]bool{doc.DocumentNamespace: true}
	for _, change := range []func(){
		func() { s.Created = time.Unix(1, 0) }, func() { s.Name = "a b/#" }, func() { s.Bundle.Rendered[0].Data = []byte("x") },
		func() {
			lock := *s.Lock
			lock.Packages = slices.Clone(lock.Packages)
			lock.Packages[0].License = "BSD-2-Clause"
			s.Lock = &lock
		},
	} {
		change()
		_, doc := sbom(t, build(t, s))
		if names[doc.DocumentNamespace] || strings.ContainsAny(doc.DocumentNamespace, "# ") {
			t.Errorf("name = %q", doc.DocumentNamespace)
		}
		names[doc.DocumentNamespace] = true
	}
}

// TestSBOMSaysWhosePackagesAre goes through the kinds of repositories.
func TestSBOMSaysWhosePackagesAre(t *testing.T) {
	s, _ := testSpec(t, testRepository(t, testPackages(1<<10)))
	for _, c := range []struct {
		repository, origin, license, more string // origin is what the repository is a mirror of
		purl, location, supplier          string
	}{
		{"http://me:secret@mirror.test/alpine/v3.23/main", "", "MIT", "",
			"pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.23", "http://mirror.test/alpine/v3.23/main/x86_64/musl-1.2.5-r0.apk", "Alpine Linux"},
		{"/srv/mirror/community", "http://os.test/edge/community", "MIT", "",
			"pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-edge", "http://os.test/edge/community/x86_64/musl-1.2.5-r0.apk", "Alpine Linux"},
		{"https://os.test/latest-stable/main", "", "MIT", "",
			"pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&repository_url=https://os.test/latest-stable/main", "https://os.test/latest-stable/main/x86_64/musl-1.2.5-r0.apk", "Alpine Linux"},
		{"/srv/alpine/v3.23/main", "", "MIT", "", "pkg:generic/musl@1.2.5-r0?arch=x86_64", "NOASSERTION", "NOASSERTION"},
		{"/home/me/repo", "", "custom:x", "mosqbuild-release", "pkg:apk/mosqbuild/musl@1.2.5-r0?arch=x86_64", "NOASSERTION", "mosqbuild"},
		{"https://apk.test/os/", "", "", "",
			"pkg:generic/musl@1.2.5-r0?arch=x86_64&download_url=https://apk.test/os/x86_64/musl-1.2.5-r0.apk", "https://apk.test/os/x86_64/musl-1.2.5-r0.apk", "NOASSERTION"},
	} {
		t.Run(c.repository, func(t *testing.T) {
			s := s
			p := packages.Package{Name: "musl", Version: "1.2.5-r0", Arch: "x86_64", Repository: c.repository, License: c.license}
			s.Lock = &packages.Lock{Arch: "amd64", Packages: []packages.Package{p}, Repositories: []packages.Index{{Repository: c.repository, Origin: c.origin}}}
			if c.more != "" {
				s.Lock.Packages = append(s.Lock.Packages, packages.Package{Name: c.more, Version: "1", Arch: "x86_64", Repository: c.repository})
			}
			data, doc := sbom(t, build(t, s))
			got := doc.Packages[1]
			if u, err := packageurl.FromString(got.PackageExternalReferences[0].Locator); err != nil || unescape(u.ToString()) != c.purl {
				t.Errorf("package URL %s, %v, want %s", u.ToString(), err, c.purl)
			}
			if got.PackageDownloadLocation != c.location || got.PackageSupplier.Supplier != c.supplier {
				t.Errorf("from %s by %s, want %s by %s", got.PackageDownloadLocation, got.PackageSupplier.Supplier, c.location, c.supplier)
			}
			if valid := c.license == "MIT"; valid != (got.PackageLicenseDeclared == c.license) || !valid && got.PackageLicenseDeclared != "NOASSERTION" {
				t.Errorf("licence %q, %q", got.PackageLicenseDeclared, got.PackageLicenseComments)
			}
			for _, private := range []string{"secret", "/srv/", "/home/"} {
				if bytes.Contains(data, []byte(private)) {
					t.Errorf("it holds %q", private)
				}
			}
		})
	}
}

func unescape(s string) string { return strings.NewReplacer("%3A", ":", "%2F", "/").Replace(s) }

// TestPushAttachesTheSBOM to registries that list referrers, and such that
// don't.
func TestPushAttachesTheSBOM(t *testing.T) {
	img := testImage(t)
	want, _ := sbom(t, img)
	for _, lists := range []bool{true, false} {
		t.Run(fmt.Sprint(lists), func(t *testing.T) {
			f := &fakeRegistry{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(lists))}
			host := serve(t, f)
			for range 2 { // the second push changes nothing
				pushed, err := image.Push(t.Context(), img, pushTo(host))
				if err != nil || pushed.SBOM == "" {
					t.Fatalf("%+v, %v", pushed, err)
				}
			}
			ref, err := name.NewDigest(host + "/test/mosquitto@" + digest(t, img))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := remote.Get(ref.Context().Tag("sha256-" + strings.TrimPrefix(digest(t, img), "sha256:"))); lists == (err == nil) {
				t.Errorf("the tag for referrers: %v", err)
			}
			index, err := remote.Referrers(ref)
			if err != nil {
				t.Fatal(err)
			}
			m, err := index.IndexManifest()
			if err != nil || len(m.Manifests) != 1 || m.Manifests[0].ArtifactType != "application/spdx+json" {
				t.Fatalf("referrers = %+v, %v", m, err)
			}
			attached, err := remote.Image(ref.Context().Digest(m.Manifests[0].Digest.String()))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := attached.RawManifest()
			var manifest struct{ ArtifactType string }
			if err != nil || json.Unmarshal(raw, &manifest) != nil || manifest.ArtifactType != "application/spdx+json" {
				t.Errorf("manifest = %s, %v", raw, err)
			}
			layers, err := attached.Layers()
			if err != nil || len(layers) != 1 {
				t.Fatalf("%d layers, %v", len(layers), err)
			}
			r, err := layers[0].Compressed()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("attached are %d bytes, %v, want the %d in the image", len(got), err, len(want))
			}
		})
	}
}

// A list that other files lie above doesn't list them.
func TestPushAttachesNoListOfLess(t *testing.T) {
	for name, kind := range map[string]byte{"plugin.so": tar.TypeReg, ".wh.bin": tar.TypeReg, "link": tar.TypeSymlink, "folder/": tar.TypeDir} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Typeflag: kind, Linkname: "x"}), w.Close()); err != nil {
			t.Fatal(err)
		}
		img, err := mutate.AppendLayers(testImage(t), static.NewLayer(b.Bytes(), types.OCIUncompressedLayer))
		if err != nil {
			t.Fatal(err)
		}
		pushed, err := image.Push(t.Context(), img, pushTo(serve(t, newFakeRegistry())))
		if err != nil || (pushed.SBOM != "") != (kind == tar.TypeDir) {
			t.Errorf("%s above it: SBOM %q, %v", name, pushed.SBOM, err)
		}
	}
}

// A registry that knows images alone still gets the image; one that fails gets
// no tag.
func TestPushWhereNoSBOMIsTaken(t *testing.T) {
	img := testImage(t)
	put := func(r *http.Request, path string) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, path)
	}
	for what, refused := range map[string]func(r *http.Request) bool{
		"artifacts": func(r *http.Request) bool { return subjectOf(r) != "" || put(r, "/manifests/sha256-") },
		"digests":   func(r *http.Request) bool { return put(r, "/manifests/sha256") },
	} {
		for status, works := range map[int]bool{http.StatusBadRequest: true, http.StatusUnsupportedMediaType: true, http.StatusForbidden: false, http.StatusInternalServerError: false} {
			t.Run(what+": "+http.StatusText(status), func(t *testing.T) {
				f := newFakeRegistry()
				f.answer = func(w http.ResponseWriter, r *http.Request) bool {
					no := refused(r)
					if no {
						http.Error(w, "{}", status)
					}
					return no
				}
				host := serve(t, f)
				pushed, err := image.Push(t.Context(), img, pushTo(host))
				if (err == nil) != works || pushed.SBOM != "" {
					t.Errorf("%+v, %v", pushed, err)
				}
				if _, err := pull(t, host); (err == nil) != works {
					t.Errorf("the tag: %v", err)
				}
			})
		}
	}
}
