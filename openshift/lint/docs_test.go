package lint_test

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

const page = "../../docs/lint.md"

const intro = `# What ` + "`mosqbuild lint`" + ` finds

    mosqbuild lint FILE...

checks Kubernetes and OpenShift YAML (several documents, a List, a Template),
mosquitto.conf, also inside a ConfigMap or Secret, and Containerfiles. A file's
kind shows in its name or its content; of a folder it takes *.yaml, *.yml, *.conf,
Containerfile and Dockerfile; ` + "`-`" + ` is stdin. Files named together are seen together:
a Service is held against the listeners of the broker behind it; where two define
the same object, each folder is seen by itself. Certificates,
keys and start scripts that a mosquitto.conf or Containerfile names are read where
they lie beside it.

It prints a line for each fault, then what to do, and exits with 5; with 0 where
there is none, with 1 where a file can't be read, and with 2 for a wrong flag.

    deploy.yaml:12: warning MQ504 livenessProbe: a broker that hangs still accepts connections
      fix: probe with MQTT: exec mosquitto_sub -h 127.0.0.1 -p PORT -t '$SYS/broker/version' -C 1 -W 2

` + "`--format json`" + ` prints an array of objects with ` + "`code`, `severity`, `file`, `line`,\n`message` and `fix`; `--ignore CODE,CODE` and `--severity error`" + ` leave findings out.
What it can't know from the files given, it doesn't report: a broker whose
configuration isn't among them is checked for less.

This page is made from the rules and from the examples that test them. @cert@ and
@key@ in an example stand for a certificate and a key.
`

var groups = map[byte]string{
	'1': "mosquitto.conf", '2': "Certificates, keys and passwords", '3': "Volumes and persistence",
	'4': "Scheduling and selectors", '5': "Services and probes", '6': "Manifests", '7': "Images and start scripts",
}

// TestDocs keeps docs/lint.md what the rules and their examples make.
func TestDocs(t *testing.T) {
	want := document(t)
	if *update {
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is stale (%v): go test ./openshift/lint -run TestDocs -update", page, err)
	}
}

func document(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString(intro)
	b.WriteString("\n| Code | Severity | What |\n|---|---|---|\n")
	for _, r := range lint.Rules() {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", r.Code, strings.ToLower(r.Code), r.Severity, r.Title)
	}
	var group byte
	for _, r := range lint.Rules() {
		if r.Code[2] != group {
			group = r.Code[2]
			fmt.Fprintf(&b, "\n## %s\n", groups[group])
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s (%s). %s\n", r.Code, r.Title, r.Severity, r.Why)
		example(t, &b, r.Code, "faulty", "Faulty")
		example(t, &b, r.Code, "sound", "Sound")
	}
	return b.Bytes()
}

// sample stands for a private key. Who looks for those in files would take it for one.
var sample = regexp.MustCompile(`-----BEGIN .*PRIVATE KEY-----\s*\(the key\)`)

// example writes the files of a folder in a rule's archive, and where the fault
// is found in each.
func example(t *testing.T, b *bytes.Buffer, code, folder, title string) {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "rules", code+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		dir, name, _ := strings.Cut(f.Name, "/")
		ext := path.Ext(name)
		if dir != folder || ext == ".crt" || ext == ".key" {
			continue
		}
		data, want := unmark(name, string(f.Data))
		data = sample.ReplaceAllString(data, "(a private key, as PEM)")
		var lines []string
		for _, w := range want {
			if rest, ok := strings.CutSuffix(w, " "+code); ok {
				lines = append(lines, rest[strings.LastIndex(rest, ":")+1:])
			}
		}
		where := ""
		if len(lines) > 0 {
			where = ", line " + strings.Join(lines, ", ")
		}
		fmt.Fprintf(b, "\n%s, `%s`%s:\n\n```%s\n%s\n```\n", title, name, where, language(name), strings.TrimRight(data, "\n"))
	}
}

func language(name string) string {
	switch ext := path.Ext(name); ext {
	case ".yaml", ".yml":
		return "yaml"
	case ".sh":
		return "sh"
	case ".conf":
		return ""
	}
	return "dockerfile"
}
