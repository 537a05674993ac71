package lint_test

import (
	"bytes"
	"encoding/json"
	"regexp"
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

var newline = []byte("\n")

// breaks are what ends a line to YAML; any other file has \n alone.
var breaks = regexp.MustCompile(`\r\n|[\n\r\x{85}\x{2028}\x{2029}]`)

// check lints one file of so many lines and holds each finding to what is
// promised of any.
func check(t *testing.T, name string, data []byte, lines int) {
	findings, err := lint.Run([]lint.Input{{Name: name, Data: data}}, lint.Options{Now: now})
	if err != nil {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error doesn't name the file: %v", err)
		}
		return
	}
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
	f.Fuzz(func(t *testing.T, data []byte) { check(t, "mosquitto.conf", data, bytes.Count(data, newline)+1) })
}

func FuzzContainerfile(f *testing.F) {
	seeds(f, func(file txtar.File) { f.Add(file.Data) }, "Containerfile", "Dockerfile")
	f.Add([]byte("FROM a AS a\nFROM a\nRUN <<EOF\nmosquitto\nEOF\nCMD [\nCOPY\nUSER\nADD --chmod=\n\\\n"))
	f.Fuzz(func(t *testing.T, data []byte) { check(t, "Containerfile", data, bytes.Count(data, newline)+1) })
}

// FuzzLint takes any bytes under any name.
func FuzzLint(f *testing.F) {
	seeds(f, func(file txtar.File) { f.Add(file.Name, file.Data) }, ".yaml", ".yml", ".json", ".sh")
	f.Add("x", []byte("a: &a [*a]\n"))
	f.Add("x.yaml", []byte("<<: [{apiVersion: v1}, {kind: Pod}]\nspec: {containers: [{command: [sh]}]}\n"))
	for _, text := range []string{twoVolumes, "apiVersion: v1\nkind: Pod\nmetadata:\n  name: !!bool\n", loneReturns} {
		f.Add("x.yaml", []byte(text))
	}
	for _, text := range quantities("1e-99999999") {
		f.Add("x.yaml", []byte(text))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) { check(t, name, data, len(breaks.FindAll(data, -1))+1) })
}
