package lint_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

var update = flag.Bool("update", false, "write docs/lint.md anew")

// now is the time that the corpus is checked at.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// scenario is the files of one folder of an archive, checked together. A line
// that ends in " <<MQ101" is one where that code must be found; the mark isn't
// part of the file. Nothing else may be found.
type scenario struct {
	archive, name string
	files         []txtar.File // marks taken out
	want          []string     // "file:line CODE"
}

func (s scenario) sound() bool { return len(s.want) == 0 }

var mark = regexp.MustCompile(`(?m)[ \t]*<<(MQ\d{3}(?:,MQ\d{3})*)$`)

// scenarios reads an archive: each top folder in it is one.
func scenarios(t testing.TB, archive string) []scenario {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	var all []scenario
	for _, f := range a.Files {
		name, file, ok := strings.Cut(f.Name, "/")
		if !ok {
			t.Fatalf("%s: %s is in no folder", archive, f.Name)
		}
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			i, all = len(all), append(all, scenario{archive: archive, name: name})
		}
		data, want := unmark(file, string(material(t, f.Data)))
		all[i].files = append(all[i].files, txtar.File{Name: file, Data: []byte(data)})
		all[i].want = append(all[i].want, want...)
	}
	return all
}

// unmark takes the marks out of a file.
func unmark(file, data string) (string, []string) {
	var want []string
	for n, line := range strings.Split(data, "\n") {
		if m := mark.FindStringSubmatch(line); m != nil {
			for code := range strings.SplitSeq(m[1], ",") {
				want = append(want, fmt.Sprintf("%s:%d %s", file, n+1, code))
			}
		}
	}
	return mark.ReplaceAllString(data, ""), want
}

// run checks a scenario's files. Certificates, keys and scripts that others
// name are read, those that begin with # and a mode have that mode.
func (s scenario) run(t testing.TB) []lint.Finding {
	t.Helper()
	var inputs []lint.Input
	for _, f := range s.files {
		if ext := path.Ext(f.Name); ext != ".crt" && ext != ".key" && ext != ".sh" {
			inputs = append(inputs, lint.Input{Name: f.Name, Data: f.Data})
		}
	}
	findings, err := lint.Run(inputs, lint.Options{Now: now, ReadFile: s.read})
	if err != nil {
		t.Fatalf("%s/%s: %v", s.archive, s.name, err)
	}
	return findings
}

// read is the disk beside a scenario's files. In a folder named "open",
// everybody may read.
func (s scenario) read(name string) ([]byte, fs.FileMode, error) {
	for _, f := range s.files {
		if f.Name == filepath.ToSlash(name) {
			mode := fs.FileMode(0o640)
			if path.Base(path.Dir(f.Name)) == "open" {
				mode = 0o644
			}
			return f.Data, mode, nil
		}
	}
	return nil, 0, fs.ErrNotExist
}

func archives(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(found) < 35 {
		t.Fatalf("%d archives, %v", len(found), err)
	}
	return found
}

// TestCorpus finds every fault at its line, and nothing else.
func TestCorpus(t *testing.T) {
	for _, archive := range archives(t) {
		for _, s := range scenarios(t, archive) {
			t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar")+"/"+s.name, func(t *testing.T) {
				var got []string
				texts := map[string]string{}
				for _, f := range s.run(t) {
					key := fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Code)
					got = append(got, key)
					texts[key] = f.String()
					if f.Fix == "" || f.Severity == "" {
						t.Errorf("%s has no fix or no severity", f)
					}
				}
				compare(t, s, got, texts)
			})
		}
	}
}

func compare(t *testing.T, s scenario, got []string, texts map[string]string) {
	t.Helper()
	for _, w := range s.want {
		if !slices.Contains(got, w) {
			t.Errorf("%s: not found", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(s.want, g) {
			t.Errorf("false alarm: %s", texts[g])
		}
	}
}

// TestEveryCode holds the corpus to what is promised: for each code at least
// two faulty inputs from different files, and a sound one that comes near.
func TestEveryCode(t *testing.T) {
	for _, r := range lint.Rules() {
		archive := filepath.Join("testdata", "rules", r.Code+".txtar")
		var faulty, sound int
		for _, s := range scenarios(t, archive) {
			switch {
			case s.sound() && strings.HasPrefix(s.name, "sound"):
				sound++
			case strings.HasPrefix(s.name, "faulty") && finds(s, r.Code):
				faulty++
			default:
				t.Errorf("%s: %s is neither faulty nor sound", archive, s.name)
			}
		}
		if faulty < 2 || sound < 1 {
			t.Errorf("%s: %d faulty, %d sound", archive, faulty, sound)
		}
	}
}

func finds(s scenario, code string) bool {
	return slices.ContainsFunc(s.want, func(w string) bool { return strings.HasSuffix(w, " "+code) })
}

// TestOurOwnOutput raises no false alarm on what this project makes.
func TestOurOwnOutput(t *testing.T) {
	ours, err := filepath.Glob("../testdata/*.golden.yaml")
	if err != nil || len(ours) < 5 {
		t.Fatalf("%d golden files, %v", len(ours), err)
	}
	for _, file := range append(ours, "../../Containerfile") {
		inputs, err := lint.Read([]string{file}, nil)
		if err != nil {
			t.Fatal(err)
		}
		findings, err := lint.Run(inputs, lint.Options{Now: now})
		if err != nil || len(findings) > 0 {
			t.Errorf("%s: %v, %v", file, findings, err)
		}
	}
}

func TestReadFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/deploy.yaml", "a/nginx.conf", "mosquitto.conf", "Dockerfile.dev", "notes.txt", ".git/x.yaml"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("worker_processes 1;\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	inputs, err := lint.Read([]string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, in := range inputs {
		rel, _ := filepath.Rel(dir, in.Name)
		names = append(names, rel)
	}
	if got, want := strings.Join(names, " "), "Dockerfile.dev a/deploy.yaml a/nginx.conf mosquitto.conf"; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
}

func TestUnreadable(t *testing.T) {
	for name, data := range map[string]string{
		"deploy.yaml":   "apiVersion: v1\nkind: [\n",
		"template.yaml": "kind: {{ .Values.kind }}\n",
		"values.yaml":   "image: mosquitto\n",
		"notes.txt":     "hello\n",
		"bomb.yaml":     "a: &a [x,x,x,x,x,x,x,x,x]\n" + bombs(),
	} {
		findings, err := lint.Run([]lint.Input{{Name: name, Data: []byte(data)}}, lint.Options{Now: now})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, findings, err)
		}
	}
	_, err := lint.Read([]string{"testdata/absent.yaml", t.TempDir()}, bytes.NewReader(nil))
	if err == nil || !strings.Contains(err.Error(), "absent.yaml") || !strings.Contains(err.Error(), "no file to check") {
		t.Errorf("got %v", err)
	}
}

// bombs are lists of nine of the list before.
func bombs() string {
	var b strings.Builder
	for c := 'b'; c < 'j'; c++ {
		fmt.Fprintf(&b, "%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	return b.String()
}

// TestKinds tells what a file is by its name, and where that says nothing, by
// what is in it; each holds one fault that only its kind has.
func TestKinds(t *testing.T) {
	conf := "# A broker\nlistener 443\n"
	image := "# An image\n\nfrom alpine:3.23\nUSER 0\n"
	object := "# An object\napiVersion: apps/v1beta1\nkind: Deployment\n"
	for _, c := range []struct{ name, data, want string }{
		{"<stdin>", conf, "2 MQ103"},
		{"site.conf", conf, "2 MQ103"},
		{"<stdin>", image, "4 MQ702"},
		{"Dockerfile.alpine", image, "4 MQ702"},
		{"mqtt.Containerfile", image, "4 MQ702"},
		{"<stdin>", object, "2 MQ603"},
		{"<stdin>", `{"kind": "Deployment", "apiVersion": "apps/v1beta1"}`, "1 MQ603"},
		{"deploy.YML", object, "2 MQ603"},
		{"<stdin>", "#!/bin/sh\nmosquitto -v\n", "2 MQ701"},
		{"start.sh", "mosquitto -v\n", "1 MQ701"},
	} {
		findings, err := lint.Run([]lint.Input{{Name: c.name, Data: []byte(c.data)}}, lint.Options{Now: now})
		if err != nil || len(findings) != 1 || fmt.Sprintf("%d %s", findings[0].Line, findings[0].Code) != c.want {
			t.Errorf("%s, %q: %v, %v, want %s", c.name, c.data, findings, err, c.want)
		}
	}
	for name, data := range map[string]string{"nginx.conf": "worker_processes 1;\n", "values.yaml": "image: x\n", "notes": "hello\n"} {
		findings, err := lint.Run([]lint.Input{{Name: name, Data: []byte(data), Walked: true}}, lint.Options{Now: now})
		if err != nil || len(findings) > 0 {
			t.Errorf("%s in a folder: %v, %v", name, findings, err)
		}
	}
}
