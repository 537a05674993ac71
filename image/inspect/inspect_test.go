package inspect_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/image/inspect"
)

// entry is a tar header with what follows it.
type entry struct {
	tar.Header
	data string
}

func file(name, data string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))}, data}
}

func folder(name string) entry {
	return entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}}
}

func link(kind byte, name, target string) entry {
	return entry{Header: tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}}
}

func tarOf(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// imageOf is an image of layers, lowest first.
func imageOf(t testing.TB, layers ...[]entry) image.Image {
	t.Helper()
	img := empty.Image
	for i, entries := range layers {
		var err error
		img, err = mutate.Append(img, mutate.Addendum{
			Layer:   static.NewLayer(tarOf(t, entries), types.OCIUncompressedLayer),
			History: v1.History{CreatedBy: fmt.Sprintf("mosqbuild: layer %d", i)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return img
}

func describe(t testing.TB, img image.Image) inspect.Description {
	t.Helper()
	d, err := inspect.Describe(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func show(files []inspect.File) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%s %s %s %d:%d %d %s %v layer %d\n", f.Path, f.Type, f.Mode, f.UID, f.GID, f.Size, f.Target, f.Attributes, f.Layer)
	}
	return b.String()
}

func TestLayersLieOverEachOther(t *testing.T) {
	suid := file("bin/su", "su")
	suid.Mode, suid.Uid, suid.Gid = 0o4750, 7, 1<<21
	suid.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\xff"}
	device := entry{Header: tar.Header{Typeflag: tar.TypeChar, Name: "dev/null", Mode: 0o666, Devmajor: 1, Devminor: 3}}
	d := describe(t, imageOf(t,
		[]entry{
			folder("./"), folder("bin/"), suid, link(tar.TypeLink, "bin/sudo", "bin/su"), link(tar.TypeSymlink, "bin/sh", "busybox"), device,
			folder("gone/"), file("gone/a", "a"), file("gone/b", "b"), folder("emptied/"), file("emptied/a", "a"), file("emptied/b/c", "c"),
			folder("becomes-a-file/"), file("becomes-a-file/x", "x"), file("kept", "1"), file("..wh.odd", "x"),
		},
		[]entry{
			file("emptied/new", "new"), file("emptied/.wh..wh..opq", ""), file(".wh.gone", ""), file("becomes-a-file", "now"),
			file(".wh.never-there", ""), file("nowhere/.wh.x", ""), folder("bin/"),
		},
	))
	want := `/..wh.odd file 0644 0:0 1  map[] layer 0
/becomes-a-file file 0644 0:0 3  map[] layer 1
/bin folder 0755 0:0 0  map[] layer 1
/bin/sh link 0777 0:0 0 busybox map[] layer 0
/bin/su file 4750 7:2097152 2  map[security.capability:[1 255]] layer 0
/bin/sudo file 4750 7:2097152 2  map[security.capability:[1 255]] layer 0
/dev/null device 0666 0:0 0 1:3 map[] layer 0
/emptied folder 0755 0:0 0  map[] layer 0
/emptied/new file 0644 0:0 3  map[] layer 1
/kept file 0644 0:0 1  map[] layer 0
`
	if got := show(d.Files); got != want {
		t.Errorf("files are\n%swant\n%s", got, want)
	}
	if got, want := d.Files[1].SHA256, fmt.Sprintf("%x", sha256.Sum256([]byte("now"))); got != want {
		t.Errorf("sum = %s, want %s", got, want)
	}
	if len(d.Layers) != 2 || d.Layers[1].What != "layer 1" || d.Layers[0].Entries != 16 || d.Layers[1].Entries != 7 || d.Layers[0].Unpacked != d.Layers[0].Size {
		t.Errorf("layers = %+v", d.Layers)
	}
}

// An image of nothing has lists of nothing.
func TestDescriptionHoldsNoNull(t *testing.T) {
	if data, err := json.Marshal(describe(t, empty.Image)); err != nil || bytes.Contains(data, []byte("null")) {
		t.Errorf("%s, %v", data, err)
	}
}

const musl = "C:Q1aaaa\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:libc\n\n"

func TestPackagesAreThoseOfTheTopDatabase(t *testing.T) {
	one := file("lib/apk/db/installed", musl)
	two := file("lib/apk/db/installed", musl+"P:busybox\nV:1.37-r0\nL:"+strings.Repeat("x", 10000)+"\n\nV:no name\n")
	for name, c := range map[string]struct {
		layers [][]entry
		want   []string
	}{
		"one":            {[][]entry{{one}}, []string{"musl"}},
		"replaced":       {[][]entry{{one}, {two}}, []string{"busybox", "musl"}},
		"removed":        {[][]entry{{two}, {file("lib/apk/db/.wh.installed", "")}}, nil},
		"folder removed": {[][]entry{{two}, {file("lib/.wh.apk", "")}}, nil},
		"merged usr":     {[][]entry{{file("usr/lib/apk/db/installed", musl)}}, []string{"musl"}},
		"none":           {[][]entry{{file("etc/passwd", musl)}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range describe(t, imageOf(t, c.layers...)).Packages {
				got = append(got, p.Name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("packages = %q, want %q", got, c.want)
			}
		})
	}
	got := describe(t, imageOf(t, []entry{one})).Packages[0]
	if want := (inspect.Package{Name: "musl", Version: "1.2.5-r0", Arch: "x86_64", License: "MIT", Origin: "musl", Checksum: "Q1aaaa"}); got != want {
		t.Errorf("package = %+v, want %+v", got, want)
	}
}

// swapped is an image whose layer is another one than the config names.
type swapped struct {
	v1.Image
	layer v1.Layer
}

func (s swapped) Layers() ([]v1.Layer, error) { return []v1.Layer{s.layer}, nil }

func TestDescribeRefuses(t *testing.T) {
	img := imageOf(t, []entry{file("a", "a")})
	good := tarOf(t, []entry{file("a", "a")})
	for name, data := range map[string][]byte{
		"another file":     tarOf(t, []entry{file("a", "b")}),
		"a byte more":      append(bytes.Clone(good), 0),
		"cut short":        good[:600],
		"no tar":           bytes.Repeat([]byte("x"), 2048),
		"nothing":          nil,
		"gzip that is cut": {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := inspect.Describe(t.Context(), swapped{img, static.NewLayer(data, types.OCIUncompressedLayer)})
			if err == nil || !strings.Contains(err.Error(), "reading layer") {
				t.Errorf("%d files, error %v", len(d.Files), err)
			}
		})
	}
	if _, err := inspect.Describe(t.Context(), swapped{img, static.NewLayer(good, types.OCIUncompressedLayer)}); err != nil {
		t.Errorf("the right layer: %v", err)
	}
}

// zeros is a layer of one file that is made while it is read.
type zeros struct {
	v1.Layer
	size int64
}

func (z zeros) Uncompressed() (io.ReadCloser, error) {
	var head, tail bytes.Buffer
	w := tar.NewWriter(&head)
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "big", Size: z.size})
	tail.Write(make([]byte, 1024))
	return io.NopCloser(io.MultiReader(&head, io.LimitReader(zeroReader{}, z.size), &tail)), err
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestLayersAreNeverHeldInMemory(t *testing.T) {
	const size = 64 << 20
	img := imageOf(t, []entry{file("big", "")})
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = inspect.Describe(t.Context(), swapped{img, zeros{layers[0], size}})
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "its content is sha256:") {
		t.Fatalf("error = %v: the layer was not read to its end", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes were allocated for a layer of %d", used, size)
	}
}

// A few bytes mustn't make us remember millions of folders.
func TestDeepPathIsRefused(t *testing.T) {
	img, err := mutate.AppendLayers(empty.Image, static.NewLayer(tarOf(t, []entry{file(strings.Repeat("a/", 1<<18)+"b", "")}), types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inspect.Describe(t.Context(), img); err == nil || !strings.Contains(err.Error(), "has 524290 bytes, more than 4095") || len(err.Error()) > 1000 {
		t.Errorf("error = %v", err)
	}
	var many []entry
	for i := range 600 {
		many = append(many, file(fmt.Sprintf("%d/%sb", i, strings.Repeat("a/", 2000)), ""))
	}
	if img, err = mutate.AppendLayers(empty.Image, static.NewLayer(tarOf(t, many), types.OCIUncompressedLayer)); err != nil {
		t.Fatal(err)
	}
	if _, err := inspect.Describe(t.Context(), img); err == nil || !strings.Contains(err.Error(), "more than 1048576 files") {
		t.Errorf("error = %v", err)
	}
}

// holes are layers of a sparse file of 1 GiB.
func holes(t testing.TB) [][]byte {
	t.Helper()
	var list [][]byte
	for _, format := range []string{"gnu", "posix"} {
		data, err := os.ReadFile("../testdata/sparse/" + format + ".tar")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

func TestSparseFileIsRefused(t *testing.T) {
	for _, data := range holes(t) {
		img, err := mutate.AppendLayers(empty.Image, static.NewLayer(data, types.OCIUncompressedLayer))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := inspect.Describe(t.Context(), img); err == nil || !strings.Contains(err.Error(), `"hole" is a sparse file`) {
			t.Errorf("error = %v", err)
		}
	}
}

func FuzzDescribe(f *testing.F) {
	for _, entries := range [][]entry{
		{file("a", "a"), folder("b/"), file("b/.wh.c", "")}, {file("/../../etc/passwd", "x"), file("..", "x"), file(".wh.", "")},
		{link(tar.TypeLink, "a", "a"), link(tar.TypeSymlink, "b", "/b")}, {file("lib/apk/db/installed", musl)}, {file(".wh..wh..opq", ""), folder("/")},
	} {
		f.Add(tarOf(f, entries))
	}
	for _, data := range holes(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := mutate.AppendLayers(empty.Image, static.NewLayer(data, types.OCIUncompressedLayer))
		if err != nil {
			t.Fatal(err)
		}
		d, err := inspect.Describe(t.Context(), img)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, f := range d.Files {
			if seen[f.Path] || !strings.HasPrefix(f.Path, "/") || strings.Contains(f.Path+"/", "/../") || strings.HasSuffix(f.Path, "/") {
				t.Errorf("path %q", f.Path)
			}
			seen[f.Path] = true
		}
		if again := describe(t, img); len(inspect.Compare(d, again)) > 0 {
			t.Error("it differs from itself")
		}
	})
}
