package cluster_test

import (
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// secrets are the keys, passwords and hashes that the state in dir holds, by
// the file that they are of.
func secrets(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	keyText := regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----\n(.*?)\n`)
	state := filepath.Join(dir, ".mosqbuild")
	err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(state, path)
		switch text := strings.TrimSpace(string(data)); {
		case strings.HasSuffix(name, ".key"):
			found[name] = string(keyText.FindSubmatch(data)[1])
		case name == "password":
			found[name] = text
		case name == "health/mosquitto_sub":
			_, found[name], _ = strings.Cut(text, "-P ")
		case name == "passwd":
			for line := range strings.SplitSeq(text, "\n") {
				user, hash, _ := strings.Cut(line, ":")
				found[name+", "+user] = hash
			}
		}
		return err
	})
	if err != nil || len(found) < 4 {
		t.Fatalf("found %d secrets: %v", len(found), err)
	}
	return found
}

// unspoken wants none of dir's secrets in text, plain or in base64.
func unspoken(t *testing.T, dir, where, text string) {
	t.Helper()
	for name, secret := range secrets(t, dir) {
		// The middle of it, whatever stands before it and shifts the encoding.
		for shift := range 3 {
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + secret))
			if strings.Contains(text, secret) || strings.Contains(text, encoded[4:len(encoded)-4]) {
				t.Errorf("%s: the secret of %s is in it", where, name)
				break
			}
		}
	}
}

// withoutSecrets is a stream of objects less those of the kind Secret.
func withoutSecrets(t *testing.T, stream string) string {
	t.Helper()
	var rest []string
	all := strings.Split(stream, "\n---\n")
	for _, object := range all {
		if !strings.Contains("\n"+object+"\n", "\nkind: Secret\n") {
			rest = append(rest, object)
		}
	}
	if len(rest) == len(all) {
		t.Error("there is no Secret")
	}
	return strings.Join(rest, "\n---\n")
}

// discreet looks for secrets in what the namespace shows to people who may not
// read Secrets: events, logs, and the other objects.
func discreet(t *testing.T, b broker) {
	for _, args := range [][]string{
		{"get", "events", "-o", "yaml"},
		{"get", "configmaps,deployments,replicasets,statefulsets,pods,services", "-o", "yaml"},
		{"logs", "--all-containers", "--tail", "-1", "--selector", "app.kubernetes.io/name=mosquitto"},
	} {
		unspoken(t, b.dir, strings.Join(args[:2], " "), b.kubectl(t, args...))
	}
}
