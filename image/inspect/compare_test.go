package inspect_test

import (
	"archive/tar"
	"fmt"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/image/inspect"
)

func withConfig(t *testing.T, img image.Image, c v1.Config) image.Image {
	t.Helper()
	img, err := mutate.Config(img, c)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// changes are those between two images, a line each.
func changes(t *testing.T, a, b image.Image) []string {
	t.Helper()
	var lines []string
	for _, c := range inspect.Compare(describe(t, a), describe(t, b)) {
		lines = append(lines, strings.Join([]string{c.Op, c.Kind, c.Name, c.What, c.Before, c.After}, "|"))
	}
	return lines
}

func TestCompareNamesEveryChange(t *testing.T) {
	base := []entry{file("a", "a"), folder("d/"), link(tar.TypeSymlink, "l", "a"), file("lib/apk/db/installed", musl)}
	img := imageOf(t, base)
	with := func(e entry) image.Image { return imageOf(t, base, []entry{e}) }
	const aSum, bSum = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
	owned, exec, capable := file("a", "a"), file("a", "a"), file("a", "a")
	owned.Gid, exec.Mode = 5, 0o4755
	capable.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01"}
	for name, c := range map[string]struct {
		a, b image.Image
		want string
	}{
		"a file more":  {img, with(file("b", "b")), "added|file|/b|||file 0644 0:0, 1 bytes, sha256:" + bSum},
		"a file less":  {img, with(file(".wh.a", "")), "removed|file|/a||file 0644 0:0, 1 bytes, sha256:" + aSum + "|"},
		"content":      {img, with(file("a", "b")), "changed|file|/a|content|1 bytes, sha256:" + aSum + "|1 bytes, sha256:" + bSum},
		"mode":         {img, with(exec), "changed|file|/a|mode|0644|4755"},
		"owner":        {img, with(owned), "changed|file|/a|owner|0:0|0:5"},
		"capabilities": {img, with(capable), "changed|file|/a|attributes||security.capability=01 "},
		"a link":       {img, with(link(tar.TypeSymlink, "l", "d")), "changed|file|/l|target|a|d"},
		"a label":      {img, withConfig(t, img, v1.Config{Labels: map[string]string{"x": "1"}}), "added|label|x|||1"},
		"the user":     {withConfig(t, img, v1.Config{User: "1"}), withConfig(t, img, v1.Config{User: "2"}), "changed|config|user|value|1|2"},
		"an empty argument": {withConfig(t, img, v1.Config{Cmd: []string{"a b"}}), withConfig(t, img, v1.Config{Cmd: []string{"a", "b"}}),
			`changed|config|cmd|value|["a b"]|["a" "b"]`},
		"a variable": {img, withConfig(t, img, v1.Config{Env: []string{"A=b=c"}}), "added|config|env A|||b=c"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := changes(t, c.a, c.b); !slices.Equal(got, []string{c.want}) {
				t.Errorf("changes = %q, want %q", got, c.want)
			}
			if got := changes(t, c.b, c.a); len(got) != 1 {
				t.Errorf("the other way round: %q", got)
			}
			if got := changes(t, c.b, c.b); len(got) != 0 {
				t.Errorf("with itself: %q", got)
			}
		})
	}
}

func TestComparePackages(t *testing.T) {
	pkg := func(name, version, sum string) string {
		return fmt.Sprintf("P:%s\nV:%s\nC:%s\n\n", name, version, sum)
	}
	db := func(text string) image.Image { return imageOf(t, []entry{file("lib/apk/db/installed", text)}) }
	got := changes(t, db(pkg("a", "1", "Q1x")+pkg("b", "1", "Q1x")+pkg("c", "1", "Q1x")+pkg("d", "1", "Q1x")),
		db(pkg("b", "2", "Q1y")+pkg("c", "1", "Q1z")+pkg("d", "1", "Q1x")+pkg("e", "1", "Q1x")))
	want := []string{"removed|package|a||1|", "changed|package|b|version|1 (Q1x)|2 (Q1y)", "changed|package|c|version|1 (Q1x)|1 (Q1z)", "added|package|e|||1"}
	if len(got) != 5 || !slices.Equal(got[:4], want) || !strings.Contains(got[4], "|/lib/apk/db/installed|content|") {
		t.Errorf("changes = %q, want %q and the database's content", got, want)
	}
}

// Two layers or one, a hard link or a copy: a container sees the same.
func TestComparePassesOverPacking(t *testing.T) {
	one := imageOf(t, []entry{file("a", "a"), file("b", "a")})
	two := imageOf(t, []entry{file("a", "old"), file("gone", "x")}, []entry{file("a", "a"), link(tar.TypeLink, "b", "a"), file(".wh.gone", "")})
	if got := changes(t, one, two); len(got) != 0 {
		t.Errorf("changes = %q", got)
	}
}
