package testing_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mosqbuild/mosqbuild/"

// layers are the project's packages from the ground up: each may import only
// what stands on a lower line, or on its own.
var layers = [][]string{
	{"config"},
	{"certs", "passwd"},
	{"internal/fault", "internal/atomicfile"},
	{"packages", "files", "internal"},
	{"image", "openshift", "agent", "failover"},
	{"cmd"},
	{"testing"},
}

// owners are the modules that some packages alone may import.
var owners = map[string][]string{
	"chainguard.dev/apko":                    {"packages"},
	"github.com/google/go-containerregistry": {"image"},
	"github.com/cloudflare/cfssl":            {"certs"},
	"github.com/containers/buildah":          {"image/containerfile"},
	"github.com/eclipse/paho":                {"internal/probe"},
	"github.com/spdx/tools-golang":           {"image"},
	"github.com/spf13/cobra":                 {"cmd"},
	"github.com/openshift/api":               {"openshift"},
	"k8s.io/":                                {"openshift", "internal/kube"},
	"k8s.io/client-go":                       {"internal/kube"},
	"k8s.io/klog":                            {"internal/kube"},
}

func TestImportsPointOneWay(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return filepath.SkipDir
		}
		rel, _ := filepath.Rel("..", path)
		dir := filepath.ToSlash(filepath.Dir(rel))
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || inside(dir, "testing") {
			return nil
		}
		seen++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			checkImport(t, rel, dir, imported)
		}
		return nil
	})
	if err != nil || seen < 50 {
		t.Fatalf("%d files read, %v", seen, err)
	}
}

func checkImport(t *testing.T, file, dir, imported string) {
	t.Helper()
	for prefix, names := range owners {
		owns := func(owner string) bool { return inside(dir, owner) }
		if strings.HasPrefix(imported, prefix) && !slices.ContainsFunc(names, owns) {
			t.Errorf("%s imports %s, which %s alone may", file, imported, strings.Join(names, " and "))
		}
	}
	own, ok := strings.CutPrefix(imported, module)
	if ok && layer(own) > layer(dir) {
		t.Errorf("%s imports %s, which stands above it", file, own)
	}
}

func layer(dir string) int {
	for i, names := range layers {
		for _, name := range names {
			if inside(dir, name) {
				return i
			}
		}
	}
	return -1
}

func inside(dir, folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }
