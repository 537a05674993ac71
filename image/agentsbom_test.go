package image

import (
	"bytes"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/package-url/packageurl-go"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"
)

func TestAgentsSBOMListsModules(t *testing.T) {
	s := AgentSpec{Name: "mosquitto-agent", Program: Program{
		Data: []byte("\x7fELF"), goVersion: "go1.26.8 X:nodwarf5",
		modules: []*debug.Module{
			{Path: "github.com/mosqbuild/mosqbuild", Version: "(devel)"},
			{Path: "example.com/a/b", Version: "v1.2.3+incompatible", Sum: "h1:x"},
			{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/new", Version: "v2.0.0"}},
			{Path: "example.com/local", Version: "v1.0.0", Replace: &debug.Module{Path: "../local"}},
			{},
		},
	}}
	entry, err := s.sbom(map[string]string{"vendor": "me"}, s.entries())
	if err != nil {
		t.Fatal(err)
	}
	data, err := content(entry)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := spdxjson.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(doc); err != nil {
		t.Error(err)
	}
	var got []string
	for _, p := range doc.Packages[1:] {
		u, err := packageurl.FromString(p.PackageExternalReferences[0].Locator)
		if err != nil || u.Type != packageurl.TypeGolang {
			t.Errorf("%s: %v, %v", p.PackageName, u, err)
		}
		got = append(got, u.Namespace+" "+u.Name+" "+u.Version)
	}
	want := []string{"github.com/mosqbuild mosqbuild (devel)", "example.com/a b v1.2.3+incompatible", "example.com new v2.0.0", "example.com local v1.0.0", " stdlib 1.26.8"}
	if !slices.Equal(got, want) {
		t.Errorf("modules = %q, want %q", got, want)
	}
	if i := slices.IndexFunc(doc.Files, func(f *spdx.File) bool { return f.FileName == "./usr/bin/mosqagent" }); i < 0 || !slices.Equal(doc.Files[i].FileTypes, []string{"BINARY"}) {
		t.Errorf("files = %+v", doc.Files)
	}
}
