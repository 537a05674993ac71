package testing_test

import (
	"bytes"
	"context"
	"log"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/mosqbuild/mosqbuild/cmd"
	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
)

// session is a user at work in a folder, with a repository and a registry.
type session struct {
	t                  *testing.T
	fromRepo, registry string
	out, err           string // of the last command
}

func newSession(t *testing.T) *session {
	t.Helper()
	r, err := apkrepo.Release(t.Context(), t.TempDir(), 1, "x86_64", "aarch64")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(new(bytes.Buffer), "", 0))))
	t.Cleanup(server.Close)
	t.Chdir(t.TempDir())
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"} {
		t.Setenv(name, t.TempDir())
	}
	return &session{t: t, fromRepo: "--repository " + r.Dir + " --repository-key " + r.Key, registry: strings.TrimPrefix(server.URL, "http://")}
}

// run runs a command line without quotes and returns its exit code.
func (s *session) run(line, stdin string) int {
	var out, errOut bytes.Buffer
	code := cmd.Main(context.Background(), strings.Fields(line), strings.NewReader(stdin), &out, &errOut)
	s.out, s.err = out.String(), errOut.String()
	return code
}

// secrets are what the state folder keeps to itself: nobody types it, and no
// command shows it.
func (s *session) secrets() map[string]string {
	found := map[string]string{"bob's password": "hunter2-bob", "carol's password": "hunter2-carol"}
	for _, name := range []string{"password", "health/mosquitto_sub", "certs/ca.key", "certs/tls.key"} {
		data, err := os.ReadFile(".mosqbuild/" + name)
		if err != nil {
			s.t.Fatal(err)
		}
		lines := strings.Fields(string(data))
		found[name] = lines[len(lines)-1]
		if strings.HasSuffix(name, ".key") {
			found[name] = strings.Split(string(data), "\n")[1]
		}
	}
	return found
}

// Results alone go to stdout, and nothing secret goes anywhere.
func TestStreams(t *testing.T) {
	s := newSession(t)
	const empty, digest = `^$`, `sha256:[0-9a-f]{64}\n$`
	for _, c := range []struct{ line, stdin, stdout string }{
		{"init", "", `^mosqbuild.yaml\n$`},
		{"init --stdout", "", `(?s)^#.*\nlisteners:\n`},
		{"image build --compression zstd " + s.fromRepo, "", `^` + digest},
		{"image build " + s.fromRepo, "", `^` + digest},
		{"image push REGISTRY/mosquitto", "", `^127.0.0.1:\d+/mosquitto@` + digest},
		{"image context context " + s.fromRepo, "", `^context\n$`},
		{"certs init --force", "", `^(\.mosqbuild/certs/tls\.(crt|key)\n){2}$`},
		{"passwd set bob --stdin", "hunter2-bob\n", empty},
		{"passwd set eve --generate", "", `^[A-Za-z2-9]{24}\n$`},
		{"passwd set mallory --stdin --file other --format htpasswd", "hunter2-bob\n", empty},
		{"passwd import", "carol:hunter2-carol\n", empty},
		{"passwd list", "", `^admin\nhealth\nbob\neve\ncarol\n$`},
		{"passwd verify bob --stdin", "hunter2-bob\n", empty},
		{"passwd delete eve", "", empty},
		{"render --image r.example/m:1", "", `(?s)^apiVersion: v1\n.*kind: Route\n`},
		{"--version", "", `^mosqbuild \S+\n$`},
	} {
		line := strings.Replace(c.line, "REGISTRY", s.registry, 1)
		for _, quiet := range []string{"", " --quiet"} {
			if quiet != "" && regexp.MustCompile(`^(init|image context|passwd delete|--version)`).MatchString(line) {
				continue // not twice
			}
			if code := s.run(line+quiet, c.stdin); code != 0 || !regexp.MustCompile(c.stdout).MatchString(s.out) {
				t.Errorf("%s%s: exit %d, stdout %q, stderr %s", c.line, quiet, code, s.out, s.err)
			}
			if quiet != "" && s.err != "" {
				t.Errorf("%s%s: stderr %q", c.line, quiet, s.err)
			}
			if !strings.HasPrefix(line, "image build") && !strings.HasPrefix(line, "init") {
				s.check(c.line)
			}
		}
	}
	for _, line := range []string{"passwd verify bob --stdin", "probe --port 1 --tls-port 0 --format json", "passwd import"} {
		if code := s.run(line, "hunter2-bob.\n"); code == 0 {
			t.Errorf("%s: exit %d", line, code)
		}
		s.check(line)
	}
}

// check looks for secrets in what the last command said.
func (s *session) check(line string) {
	s.t.Helper()
	for what, secret := range s.secrets() {
		if len(secret) < 6 {
			s.t.Fatalf("%s is %q: too short to look for", what, secret)
		}
		if strings.Contains(s.out+s.err, secret) {
			s.t.Errorf("%s shows %s", line, what)
		}
	}
}

// The ways to a cluster of the README and docs/deploy.md, one after the other in
// one folder, as far as they need none.
func TestReadme(t *testing.T) {
	text := map[string]string{}
	for _, file := range []string{"README.md", "docs/deploy.md"} {
		data, err := os.ReadFile("../" + file)
		if err != nil {
			t.Fatal(err)
		}
		text[file] = string(data)
	}
	s := newSession(t)
	is := map[string]string{"host": "mqtt.apps.example.com"} // oc would tell
	for _, way := range []struct{ file, heading, commands, rendered string }{
		{"README.md", "Ten minutes to OpenShift", "init image image certs render", "mosquitto_sub -h mqtt.apps.example.com"},
		{"README.md", "Two brokers", "certs image image render", "/you/mosquitto-agent:1\n"},
		{"docs/deploy.md", "loadbalancer", "certs passwd image image render", "lbipam.cilium.io/ips: 192.0.2.7"},
		{"docs/deploy.md", "ha", "certs image image render", "/you/mosquitto-agent:1\n"},
	} {
		_, block, _ := strings.Cut(text[way.file], "## "+way.heading+"\n")
		if got := s.follow(block, is); got != way.commands || !strings.Contains(s.out+s.err, way.rendered) {
			t.Errorf("%s, %s: ran %q, and render prints no %q: %s%s", way.file, way.heading, got, way.rendered, s.out, s.err)
		}
	}
}

var assigned = regexp.MustCompile(`^(\w+)=\$\((.*)\)$`)

// follow runs the first block of commands of text, but for what needs podman, a
// cluster or another program, and returns the names of the commands. is are the
// shell's variables.
func (s *session) follow(text string, is map[string]string) string {
	s.t.Helper()
	_, way, _ := strings.Cut(text, "```sh\n")
	way, _, _ = strings.Cut(way, "```")
	way = strings.ReplaceAll(way, "quay.io/", s.registry+"/")
	if _, config, ok := strings.Cut(way, "cat >mosqbuild.yaml"); ok {
		_, config, _ = strings.Cut(config, "\n")
		config, way, _ = strings.Cut(config, "END\n")
		if err := os.WriteFile("mosqbuild.yaml", []byte(config), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	var ran []string
	for _, line := range strings.Split(way, "\n") {
		line, _, _ = strings.Cut(line, " #")
		line, piped, _ := strings.Cut(strings.TrimSpace(line), " | ")
		for name, value := range is {
			line = strings.ReplaceAll(line, `"$`+name+`"`, value)
		}
		m := assigned.FindStringSubmatch(line)
		if m != nil {
			line = m[2]
		}
		words := strings.Fields(line)
		switch {
		case len(words) < 2 || words[0] != "mosqbuild" || strings.Contains("run probe failover", words[1]) || strings.Contains(line, " agent"):
			continue
		case words[1] == "image" && words[2] == "build":
			line += " " + s.fromRepo
		}
		if code := s.run(strings.TrimPrefix(line, "mosqbuild "), ""); code != 0 || s.out == "" {
			s.t.Errorf("%s: exit %d, stdout %q, stderr %s", line, code, s.out, s.err)
		}
		if piped != "" && !strings.HasPrefix(s.out, "apiVersion:") {
			s.t.Errorf("%s: %q goes to %s", line, s.out, piped)
		}
		if m != nil {
			is[m[1]] = strings.TrimSpace(s.out)
		}
		ran = append(ran, words[1])
	}
	return strings.Join(ran, " ")
}
