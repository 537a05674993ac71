package lint_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

// seeds adds every file of the corpus whose name ends in one of the suffixes.
func seeds(f *testing.F, add func(txtar.File), suffixes ...string) {
	f.Helper()
	n := 0
	for _, archive := range archives(f) {
		for _, s := range scenarios(f, archive) {
			for _, file := range s.files {
				if slices.ContainsFunc(suffixes, func(x string) bool { return strings.HasSuffix(file.Name, x) }) {
					add(file)
					n++
				}
			}
		}
	}
	if n < 10 {
		f.Fatalf("%d seeds", n)
	}
}

// check lints one file and holds each finding to what is promised of any.
func check(t *testing.T, name string, data []byte) {
	findings, err := lint.Run([]lint.Input{{Name: name, Data: data}}, lint.Options{Now: now})
	if err != nil {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error doesn't name the file: %v", err)
		}
		return
	}
	lines := strings.Count(string(data), "\n") + 1
	for _, f := range findings {
		if f.Line < 1 || f.Line > lines || f.File != name || f.Fix == "" || f.Message == "" {
			t.Errorf("of %d lines: %+v", lines, f)
		}
		if _, err := json.Marshal(f); err != nil {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func FuzzConf(f *testing.F) {
	seeds(f, func(file txtar.File) { f.Add(file.Data) }, ".conf")
	f.Add([]byte("listener\nconnection\naddress\ntopic\nport x\nautosave_interval\n"))
	f.Fuzz(func(t *testing.T, data []byte) { check(t, "mosquitto.conf", data) })
}

func FuzzContainerfile(f *testing.F) {
	seeds(f, func(file txtar.File) { f.Add(file.Data) }, "Containerfile", "Dockerfile")
	f.Add([]byte("FROM a AS a\nFROM a\nRUN <<EOF\nmosquitto\nEOF\nCMD [\nCOPY\nUSER\nADD --chmod=\n\\\n"))
	f.Fuzz(func(t *testing.T, data []byte) { check(t, "Containerfile", data) })
}

// FuzzLint takes any bytes under any name.
func FuzzLint(f *testing.F) {
	seeds(f, func(file txtar.File) { f.Add(file.Name, file.Data) }, ".yaml", ".yml", ".json", ".sh")
	f.Add("x", []byte("a: &a [*a]\n"))
	f.Add("x.yaml", []byte("<<: [{apiVersion: v1}, {kind: Pod}]\nspec: {containers: [{command: [sh]}]}\n"))
	f.Fuzz(func(t *testing.T, name string, data []byte) { check(t, name, data) })
}
