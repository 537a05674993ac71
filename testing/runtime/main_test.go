package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestEdit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	for _, tc := range []struct{ name, in, want string }{
		{"limits", `{"process":{"rlimits":[{"type":"RLIMIT_NOFILE","hard":1}],"cwd":"/"},"root":{"n":12345678901234567890}}`,
			`{"process":{"cwd":"/"},"root":{"n":12345678901234567890}}`},
		{"none", `{"process":{}}`, `{"process":{}}`},
	} {
		if err := os.WriteFile(path, []byte(tc.in), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := edit(path, "process"); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if got, _ := os.ReadFile(path); string(got) != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	for _, in := range []string{`{"process":`, `{}`, `{"process":[]}`} {
		if got, err := withoutLimits(json.RawMessage(in), []string{"process"}); err == nil {
			t.Errorf("%s was taken for a configuration: %s", in, got)
		}
	}
}

func TestOption(t *testing.T) {
	for _, args := range [][]string{{"create", "--bundle", "/b", "id"}, {"create", "-b", "/b", "id"}, {"create", "--bundle=/b", "id"}} {
		if got, ok := option(args, "--bundle", "-b"); got != "/b" || !ok {
			t.Errorf("%q: %q, %v", args, got, ok)
		}
	}
	if got, ok := option([]string{"start", "id", "--bundle"}, "--bundle"); ok {
		t.Errorf("found %q where there is none", got)
	}
}
