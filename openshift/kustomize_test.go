package openshift_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/openshift"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// values are what a deployment of the golden files was rendered with.
func values(cfg config.Config) openshift.Values {
	memory, err := openshift.Memory(cfg)
	if err != nil {
		panic(err)
	}
	return openshift.Values{
		Name: cfg.Name, Namespace: cfg.Deploy.Namespace, Host: cfg.Deploy.Host, Image: image, AgentImage: agentImage, Memory: memory,
	}
}

func kustomize(t *testing.T, dir string, cfg config.Config) {
	t.Helper()
	if err := openshift.WriteKustomize(dir, objects(t, cfg), values(cfg), false); err != nil {
		t.Fatal(err)
	}
}

// tree reads every file below dir.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, path))
		found[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// byID maps each document of a stream to its canonical text.
func byID(t *testing.T, stream []byte) map[string]string {
	t.Helper()
	found := map[string]string{}
	for doc := range strings.SplitSeq(string(stream), "---\n") {
		var o struct {
			APIVersion, Kind string
			Metadata         struct{ Name, Namespace string }
		}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		text, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		id := o.APIVersion + " " + o.Kind + " " + o.Metadata.Name
		if _, twice := found[id]; twice {
			t.Fatalf("%s stands there twice", id)
		}
		found[id] = string(text)
	}
	return found
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for id := range want {
		if got[id] != want[id] {
			t.Errorf("%s is\n%s\nwant\n%s", id, got[id], want[id])
		}
	}
	for id := range got {
		if want[id] == "" {
			t.Errorf("%s is too much", id)
		}
	}
}

// The base's files hold the very objects of the YAML stream, and its
// kustomization names them all.
func TestKustomizeBaseIsTheStream(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		dir := t.TempDir()
		kustomize(t, dir, cfg)
		files := tree(t, filepath.Join(dir, "base"))
		var k struct{ Resources []string }
		if err := yaml.Unmarshal([]byte(files["kustomization.yaml"]), &k); err != nil {
			t.Fatal(err)
		}
		var stream []string
		for _, name := range k.Resources {
			stream = append(stream, files[name])
			delete(files, name)
		}
		if k := tree(t, dir)["cluster/helmchartconfig-traefik.yaml"]; k != "" {
			stream = append(stream, k)
		}
		same(t, byID(t, []byte(strings.Join(stream, "---\n"))), byID(t, render(t, cfg)))
		if left := slices.Sorted(maps.Keys(files)); !slices.Equal(left, []string{".gitignore", ".mosqbuild", "kustomization.yaml"}) {
			t.Errorf("besides there is %v", left)
		}
		for path, text := range tree(t, dir) {
			if strings.Contains(text, "kind: Secret\n") != (path == "base/secrets.yaml") {
				t.Errorf("Secrets are no matter of %s", path)
			}
		}
		if st, err := os.Stat(filepath.Join(dir, "base/secrets.yaml")); err != nil || st.Mode() != 0o600 {
			t.Errorf("secrets.yaml: %v, %v", st.Mode(), err)
		}
		if files[".gitignore"] != "/secrets.yaml\n" {
			t.Errorf("git ignores %q", files[".gitignore"])
		}
	})
}

// What isn't an object, as it is for the deployment "full".
func TestKustomizeGolden(t *testing.T) {
	dir := t.TempDir()
	kustomize(t, dir, deployments()["full"])
	var archive txtar.Archive
	files := tree(t, dir)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if !strings.Contains(files[path], "\nmetadata:\n") {
			archive.Files = append(archive.Files, txtar.File{Name: path, Data: []byte(files[path])})
		}
	}
	golden(t, "kustomize.golden.txtar", txtar.Format(&archive))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("it differs from %s (see the change with: go test ./openshift -update; git diff):\n%s", path, got)
	}
}

func TestKustomizeKeepsWhatIsTheUsers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deploy", "here")
	cfg := deployments()["full"]
	kustomize(t, dir, cfg)
	first := tree(t, dir)
	kustomize(t, dir, cfg)
	if again := tree(t, dir); !maps.Equal(first, again) {
		t.Errorf("written again, it is %v", again)
	}
	for path, text := range map[string]string{"overlays/dev/kustomization.yaml": "mine", "README.md": "mine", "base/note.txt": "mine", "base/secrets.sealed.yaml": "sealed"} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cfg = deployments()["plain"] // no Route, no TLS Service, another name
	kustomize(t, dir, cfg)
	now := tree(t, dir)
	for _, path := range []string{"overlays/dev/kustomization.yaml", "README.md", "base/note.txt"} {
		if now[path] != "mine" {
			t.Errorf("%s is now %q", path, now[path])
		}
	}
	for path := range now {
		if strings.Contains(path, "-site") {
			t.Errorf("%s is stale", path)
		}
	}
	if k := now["base/kustomization.yaml"]; !strings.Contains(k, "- secrets.sealed.yaml\n") || strings.Contains(k, "- secrets.yaml\n") {
		t.Errorf("the base doesn't take the sealed Secrets:\n%s", k)
	}
}

func TestKustomizeRefusesAForeignFolder(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine")
	if err := os.WriteFile(mine, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	err := openshift.WriteKustomize(dir, objects(t, cfg), values(cfg), false)
	if err == nil || !strings.Contains(fault.HintOf(err), "--force") || len(tree(t, dir)) != 1 {
		t.Errorf("%v, hint %q; there is %v", err, fault.HintOf(err), tree(t, dir))
	}
	if err := openshift.WriteKustomize(dir, objects(t, cfg), values(cfg), true); err != nil || len(tree(t, dir)) < 5 {
		t.Errorf("forced: %v", err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
	other := t.TempDir()
	own := filepath.Join(other, "base", "kustomization.yaml")
	if err := errors.Join(os.Mkdir(filepath.Dir(own), 0o755), os.WriteFile(own, []byte("mine"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := openshift.WriteKustomize(other, objects(t, cfg), values(cfg), true); err == nil || !strings.Contains(err.Error(), "base/kustomization.yaml") {
		t.Errorf("forced over a file in base: %v", err)
	}
	if text, err := os.ReadFile(own); string(text) != "mine" || len(tree(t, other)) != 1 {
		t.Errorf("it is %q, %v, among %v", text, err, tree(t, other))
	}
	listed, err := os.ReadFile(filepath.Join(dir, "base/.mosqbuild"))
	if err != nil {
		t.Fatal(err)
	}
	rest := strings.ReplaceAll(string(listed), "base/kustomization.yaml\n", "")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "base/kustomization.yaml"), []byte("mine"), 0o644), os.WriteFile(filepath.Join(dir, "base/.mosqbuild"), []byte(rest), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := openshift.WriteKustomize(dir, objects(t, cfg), values(cfg), false); err == nil || !strings.Contains(err.Error(), "base/kustomization.yaml") || tree(t, dir)["base/kustomization.yaml"] != "mine" {
		t.Errorf("over a file that the list lacks: %v", err)
	}
	for _, name := range []string{"../mine", "/etc/passwd", "a/b", "..", "base/..", "base/", "base/../mine", "README.md"} {
		if err := os.WriteFile(filepath.Join(dir, "base/.mosqbuild"), []byte(name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := openshift.WriteKustomize(dir, objects(t, cfg), values(cfg), true); err == nil {
			t.Errorf("it would remove %s", name)
		}
	}
}

// kustomize itself builds the base to the objects of the stream, and each
// overlay to the same in a namespace.
func TestKustomizeBuild(t *testing.T) {
	program := need.Peer(t, "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1", need.Peers)
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		dir := t.TempDir()
		kustomize(t, dir, cfg)
		build := func(folder string) map[string]string {
			c := exec.CommandContext(t.Context(), program, "build", filepath.Join(dir, folder))
			var stderr bytes.Buffer
			c.Stderr = &stderr
			out, err := c.Output()
			if err != nil || stderr.Len() > 0 {
				t.Fatalf("building %s: %v\n%s", folder, err, &stderr)
			}
			return byID(t, out)
		}
		built, cluster := build("base"), map[string]string{}
		if cfg.Deploy.Ingress == config.IngressTraefik {
			cluster = build("cluster")
		}
		maps.Copy(built, cluster)
		same(t, built, byID(t, render(t, cfg)))
		production := cfg.Deploy.Namespace
		if production == "" {
			production = cfg.Name
		}
		for overlay, namespace := range map[string]string{"dev": production + "-dev", "production": production} {
			want := byID(t, write(t, moved(objects(t, cfg), namespace)))
			maps.DeleteFunc(want, func(id, _ string) bool { return cluster[id] != "" })
			same(t, build("overlays/"+overlay), want)
			path := filepath.Join(dir, "overlays", overlay, "kustomization.yaml")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			head, comments, found := strings.Cut(string(text), "change their values.\n")
			if !found {
				t.Fatalf("nothing to uncomment in\n%s", text)
			}
			text = []byte(head + "\n" + strings.TrimPrefix(strings.ReplaceAll("\n"+comments, "\n# ", "\n"), "\n"))
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			same(t, build("overlays/"+overlay), want)
		}
	})
}

// moved puts objects into a namespace, as kustomize does: with the Namespace,
// and what names it.
func moved(objs []runtime.Object, namespace string) []runtime.Object {
	for _, o := range objs {
		switch o := o.(type) {
		case *corev1.Namespace:
			o.Name = namespace
			continue
		case *rbacv1.RoleBinding:
			for i := range o.Subjects {
				o.Subjects[i].Namespace = namespace
			}
		}
		o.(metav1.Object).SetNamespace(namespace)
	}
	return objs
}
