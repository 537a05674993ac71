package openshift_test

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/openshift"
)

func draw(t *testing.T, objs []runtime.Object) string {
	t.Helper()
	var out bytes.Buffer
	if err := openshift.WriteGraph(&out, objs); err != nil {
		t.Fatal(err)
	}
	checkMermaid(t, out.String())
	return out.String()
}

const (
	mermaidID    = `(n_[a-z0-9_]*)`
	mermaidLabel = `"(?:[A-Za-z0-9 ,./_()-]|<br/>|#[0-9]+;)*"`
)

var (
	mermaidNode = regexp.MustCompile(`^` + mermaidID + `(?:\[` + mermaidLabel + `\]|\(\[` + mermaidLabel + `\]\)|\{\{` + mermaidLabel + `\}\}|\[/` + mermaidLabel + `/\]|\[\(` + mermaidLabel + `\)\])$`)
	mermaidOpen = regexp.MustCompile(`^subgraph ` + mermaidID + `\[` + mermaidLabel + `\]$`)
	mermaidEdge = regexp.MustCompile(`^` + mermaidID + ` (?:-->|-\.->|<==>)(?:\|` + mermaidLabel + `\|)? ` + mermaidID + `$`)
)

// checkMermaid holds text against the part of Mermaid's grammar that is used
// here: each id is one node's, each edge has nodes at both ends, and subgraphs
// close. Mermaid itself, which needs a browser, agreed with what this lets by.
func checkMermaid(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != "flowchart LR" {
		t.Fatalf("it begins with %q", lines[0])
	}
	nodes, open := map[string]bool{}, false
	for _, line := range lines[1:] {
		line = strings.TrimLeft(line, " ")
		m := mermaidEdge.FindStringSubmatch(line)
		if m != nil {
			if open || !nodes[m[1]] || !nodes[m[2]] {
				t.Errorf("an edge without two nodes: %s", line)
			}
			continue
		}
		switch {
		case line == "end" && open:
			open = false
			continue
		case mermaidOpen.MatchString(line) && !open:
			m, open = mermaidOpen.FindStringSubmatch(line), true
		default:
			m = mermaidNode.FindStringSubmatch(line)
		}
		if m == nil || nodes[m[1]] {
			t.Errorf("no node, or one twice: %s", line)
			continue
		}
		nodes[m[1]] = true
	}
	if open {
		t.Error("a subgraph stays open")
	}
}

func TestGraphGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/graph/pair.yaml")
	if err != nil {
		t.Fatal(err)
	}
	objs, err := openshift.ReadYAML(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "graph/pair.golden.mmd", []byte(draw(t, objs)))
}

// What is rendered is drawn as what is read from its YAML, its JSON, and a
// Template of it; every object is in it.
func TestGraphOfWhatIsRendered(t *testing.T) {
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		objs := objects(t, cfg)
		want := draw(t, objs)
		read, err := openshift.ReadYAML(bytes.NewReader(write(t, objs)))
		if err != nil {
			t.Fatal(err)
		}
		var list bytes.Buffer
		if err := openshift.WriteJSON(&list, objs); err != nil {
			t.Fatal(err)
		}
		listed, err := openshift.ReadYAML(&list)
		if err != nil {
			t.Fatal(err)
		}
		if len(read) != len(objs) || len(listed) != len(objs) || draw(t, read) != want || draw(t, listed) != want {
			t.Errorf("%d objects, read as %d and %d:\n%s", len(objs), len(read), len(listed), want)
		}
		for _, o := range objs {
			kind := o.GetObjectKind().GroupVersionKind().Kind
			if !strings.Contains(want, kind+" "+o.(interface{ GetName() string }).GetName()) {
				t.Errorf("no %s in\n%s", kind, want)
			}
		}
		if strings.Contains(want, "not among these") {
			t.Errorf("something is missing from the objects:\n%s", want)
		}
		tpl, _, err := openshift.Template(objs, values(cfg))
		if err != nil {
			t.Fatal(err)
		}
		inside, err := openshift.ReadYAML(bytes.NewReader(write(t, []runtime.Object{tpl})))
		if err != nil || len(inside) != len(objs)+1 {
			t.Errorf("%d objects in the Template of %d, %v", len(inside), len(objs), err)
		}
	})
}

// The README shows the default deployment as it is.
func TestReadmePicture(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, opened := strings.Cut(string(readme), "```mermaid\n")
	picture, after, closed := strings.Cut(rest, "```\n")
	if !opened || !closed {
		t.Fatal("there is no picture in README.md")
	}
	want := draw(t, objects(t, config.Default()))
	if *update {
		if err := os.WriteFile("../README.md", []byte(before+"```mermaid\n"+want+"```\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if picture != want {
		t.Errorf("README.md shows another deployment; see the change with: go test ./openshift -update; git diff\n%s", want)
	}
}

func TestReadYAMLRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"a: [":                                          "document 1",
		"kind: A\n---\nname: x":                         "document 2",
		"apiVersion: v1\nkind: A\nkind: B":              "already set",
		"apiVersion: v1\nkind: List\nitems: 1":          "document 1",
		"apiVersion: v1\nkind: Template\nobjects: [{}]": "objects[0]",
		"just text":                                     "document 1",
	} {
		if objs, err := openshift.ReadYAML(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d objects, %v; want an error with %q", text, len(objs), err, want)
		}
	}
	objs, err := openshift.ReadYAML(strings.NewReader("# nothing\n---\n---\n"))
	if len(objs) != 0 || err != nil {
		t.Errorf("of nothing: %d objects, %v", len(objs), err)
	}
}

func TestGraphNamesWhatItCannotRead(t *testing.T) {
	objs, err := openshift.ReadYAML(strings.NewReader("apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: 3}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := openshift.WriteGraph(new(bytes.Buffer), objs); err == nil || !strings.Contains(err.Error(), `Service "x"`) {
		t.Errorf("%v", err)
	}
}

// pods have a quantity each.
func pods(q string) []string {
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: "
	return []string{
		pod + `{containers: [{name: a, resources: {limits: {cpu: "` + q + `"}}}]}`,
		pod + `{initContainers: [{name: a, resources: {requests: {x.example/y: " ` + q + ` "}}}]}`,
		pod + `{containers: [{name: a, env: [{name: A, valueFrom: {resourceFieldRef: {divisor: "` + q + `"}}}]}]}`,
		pod + `{overhead: {cpu: "` + q + `"}}`,
		pod + `{volumes: [{name: a, emptyDir: {sizeLimit: "` + q + `"}}]}`,
		pod + `{volumes: [{name: a, ephemeral: {volumeClaimTemplate: {spec: {resources: {requests: {storage: "` + q + `"}}}}}}]}`,
	}
}

// A quantity that would take for ever to read is refused; what looks like one
// elsewhere isn't.
func TestGraphRefusesQuantities(t *testing.T) {
	for q, fine := range map[string]bool{"1e-1000000000": false, "-.5E+100": false, strings.Repeat("1", 100): false, "1e3": true, "0.5": true, "1.5Gi": true} {
		for _, text := range pods(q) {
			objs, err := openshift.ReadYAML(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			err = openshift.WriteGraph(io.Discard, objs)
			if fine != (err == nil) || err != nil && !strings.Contains(err.Error(), `the pod of Pod "a": spec.`) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	objs, err := openshift.ReadYAML(strings.NewReader("apiVersion: v1\nkind: Pod\nmetadata: {labels: {commit: 12e4567}, annotations: {limits: \"1e999\"}}\nspec: {containers: [{args: [\"1e999\"]}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	draw(t, objs)
}

// Objects of one name cost no more than others.
func TestGraphOfOneName(t *testing.T) {
	text := strings.Repeat("apiVersion: v1\nkind: X\nmetadata: {name: a}\n---\n", 20_000) + "apiVersion: v1\nkind: X\nmetadata: {name: a_2}\n"
	objs, err := openshift.ReadYAML(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	draw(t, objs)
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

// Whatever can be read and drawn is Mermaid.
func FuzzGraph(f *testing.F) {
	text, err := os.ReadFile("testdata/graph/pair.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for doc := range bytes.SplitSeq(text, []byte("---\n")) {
		f.Add(doc)
	}
	f.Add([]byte("kind: RoleBinding"))
	for _, text := range pods("1e-99999999") {
		f.Add([]byte(text))
	}
	f.Add([]byte("kind: \"a\\n\\\"\"\nmetadata: {name: \"]\"}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		objs, err := openshift.ReadYAML(bytes.NewReader(text))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if openshift.WriteGraph(&out, objs) == nil {
			checkMermaid(t, out.String())
		}
	})
}
