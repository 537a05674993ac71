package inspect

import (
	"archive/tar"
	"strings"
	"testing"
)

// Entries that are few may still have long names, targets and attributes.
func TestTextIsBounded(t *testing.T) {
	for name, h := range map[string]tar.Header{
		"a path":       {Typeflag: tar.TypeDir, Name: strings.Repeat("a", 1000)},
		"a target":     {Typeflag: tar.TypeSymlink, Name: "a", Linkname: strings.Repeat("a", 1000)},
		"an attribute": {Typeflag: tar.TypeDir, Name: "a", PAXRecords: map[string]string{xattrPrefix + "user.a": strings.Repeat("a", 1000)}},
	} {
		tree := newTree()
		tree.text = maxText - 2000
		if err := tree.apply(0, &h, strings.NewReader("")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := tree.apply(0, &h, strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "more than 134217728 bytes of paths") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}
