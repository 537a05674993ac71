package lint_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

// Inputs that something once broke on, seeds of FuzzLint.
const (
	// The volumes have one name, none; the first is no Secret.
	twoVolumes = "apiVersion: v1\nkind: Pod\nspec:\n  containers: [{image: eclipse-mosquitto}]\n  volumes: [{emptyDir: {}}, {secret: {secretName: s}}]\n"
	// To YAML, the last line but one is the fifth.
	loneReturns = "apiVersion: v1\rkind: Pod\rspec:\r  containers:\r  - image: eclipse-mosquitto\n"
)

// quantities are objects that have a quantity each.
func quantities(q string) []string {
	pod := "apiVersion: v1\nkind: Pod\nspec: "
	return []string{
		pod + `{containers: [{name: a, resources: {limits: {cpu: "` + q + `"}}}]}`,
		pod + `{containers: [{name: a, RESOURCES: {Limits: {cpu: "` + q + `"}}}]}`,
		pod + `{volumes: [{name: a, emptyDir: {sizeLimit: "` + q + `"}}]}`,
		`{apiVersion: v1, kind: PersistentVolumeClaim, spec: {resources: {requests: {storage: " ` + q + ` "}}}}`,
	}
}

// inTime lints a text and fails where that takes what only grows so with the
// square of its length, or worse.
func inTime(t *testing.T, name, data string) []lint.Finding {
	t.Helper()
	var findings []lint.Finding
	done := make(chan error, 1)
	go func() {
		var err error
		findings, err = lint.Run([]lint.Input{{Name: name, Data: []byte(data)}}, lint.Options{Now: now})
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%.60q: %v", data, err)
		}
	case <-time.After(time.Minute):
		t.Fatalf("%.60q takes too long", data)
	}
	return findings
}

// TestInTime holds what an input may cost to its length. Before each of these
// was mended it took minutes to for ever.
func TestInTime(t *testing.T) {
	for _, q := range []string{"1e-1000000000", strings.Repeat("1", 5_000_000)} {
		for _, text := range quantities(q) {
			inTime(t, "x.yaml", text)
		}
	}
	var merged, stages strings.Builder
	merged.WriteString("apiVersion: v1\nkind: X\na: &a\n")
	for i := range 49_000 {
		fmt.Fprintf(&merged, "  key%d: 1\n", i)
	}
	merged.WriteString("b: {<<: *a}\n---\n")
	inTime(t, "x.yaml", strings.Repeat(merged.String(), 4))
	stages.WriteString("FROM scratch AS s0\nUSER 1:0\n")
	for i := range 100_000 {
		fmt.Fprintf(&stages, "FROM s%d AS s%d\nRUN true\n", i, i+1)
	}
	if findings := inTime(t, "Containerfile", stages.String()); len(findings) > 0 {
		t.Errorf("the USER of a stage far below: %v", findings)
	}
}

// TestAliasesBounded: what little stands for much is refused.
func TestAliasesBounded(t *testing.T) {
	text := "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*a,", 1000) + "]\n"
	_, err := lint.Run([]lint.Input{{Name: "x.yaml", Data: []byte(text)}}, lint.Options{Now: now})
	if err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("error = %v", err)
	}
}

// template is a Template of a Pod with unknown fields, which findings name.
func template(fields string, parameters map[string]string) string {
	text := "apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n- {apiVersion: v1, kind: Pod, spec: {" + fields + "}}\nparameters:\n"
	for name, value := range parameters {
		text += fmt.Sprintf("- {name: %s, value: %q}\n", name, value)
	}
	return text
}

// TestParametersOnce puts no parameter into another's value.
func TestParametersOnce(t *testing.T) {
	text := template(`"x${A}${B}${C}${{A}}": 1`, map[string]string{"A": "${B}", "B": "${A}", "AB": "ab"})
	for range 20 { // the order of a map must not matter
		findings := inTime(t, "x.yaml", text)
		if len(findings) != 1 || !strings.Contains(findings[0].Message, `"x${B}${A}${C}${{A}}"`) {
			t.Fatalf("found %v", findings)
		}
	}
}

// TestParametersBounded leaves references where their values would fill the
// memory.
func TestParametersBounded(t *testing.T) {
	text := template(`"x1${BIG}": 1, "x2${BIG}": 1, "x3${BIG}": 1`, map[string]string{"BIG": strings.Repeat("x", 12<<20)})
	left := 0
	for _, f := range inTime(t, "x.yaml", text) {
		if strings.Contains(f.Message, "${BIG}") {
			left++
		}
	}
	if left != 1 {
		t.Errorf("%d of 3 references are left, want the one past 32 MiB", left)
	}
}
