package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/need"
	"github.com/mosqbuild/mosqbuild/testing/podmantest"
)

// The image runs as whoever the cluster says, hardened, and Debian's clients
// use both of its listeners.
func TestImageRunsAsAnyUser(t *testing.T) {
	need.Program(t, "mosquitto_sub", "mosquitto_pub", "openssl")
	need.Root(t)
	localPackages(t)
	podman := podmantest.New(t)
	podman.Setenv(t)
	dir := t.TempDir()
	mosqbuild(t, dir, "image", "build", "--local", "-o", "podman")
	state := filepath.Join(dir, ".mosqbuild")
	run(t, dir, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other", "-keyout", "other.key", "-out", "other.crt")

	// Credentials as a cluster mounts them, owned by a user without gid 0.
	mounted := filepath.Join(dir, "mounted")
	run(t, dir, "mkdir", mounted)
	run(t, dir, "cp", "-r", filepath.Join(state, "certs"), filepath.Join(mounted, "certs"))
	run(t, dir, "mkdir", filepath.Join(mounted, "auth"))
	run(t, dir, "cp", filepath.Join(state, "passwd"), filepath.Join(state, "health", "mosquitto_sub"), filepath.Join(mounted, "auth"))
	run(t, dir, "chmod", "0755", dir, mounted)
	run(t, dir, "chown", "-R", "568:568", filepath.Join(mounted, "certs"), filepath.Join(mounted, "auth"))

	for _, flags := range [][]string{
		{"--user=1:0"},
		{"--user=1883:0"},
		{"--user=65534:0"},
		{"--user=1000660000:0"},
		{"--user=2147483647:0"}, // podman's largest
		{"--user=568:568", "--group-add=0"},
		{"--user=568:568", "-v", mounted + "/certs:/mosquitto/certs:ro", "-v", mounted + "/auth:/mosquitto/auth:ro"},
	} {
		t.Run(strings.Join(flags[:min(2, len(flags))], " "), func(t *testing.T) {
			port, tlsPort := freePort(t), freePort(t)
			line := append([]string{"run", "-d", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
				"-p", "127.0.0.1:" + port + ":1883", "-p", "127.0.0.1:" + tlsPort + ":8883"}, flags...)
			id := podman.Podman(t, append(line, "localhost/mosquitto:latest")...)
			t.Cleanup(func() {
				if t.Failed() {
					log, _ := podman.Command(context.Background(), "logs", id).CombinedOutput()
					t.Logf("%s", log)
				}
				if out, err := podman.Command(context.Background(), "rm", "-f", "-t", "0", id).CombinedOutput(); err != nil {
					t.Errorf("removing the container: %v %s", err, out)
				}
			})
			eventually(t, "the probe's own client answered in the container", func() bool {
				probe := podman.Command(t.Context(), "exec", "-e", "XDG_CONFIG_HOME=/mosquitto/auth", id, "/usr/bin/mosquitto_sub", "-t", "$SYS/broker/version", "-C", "1", "-W", "10")
				out, err := probe.Output()
				return err == nil && strings.HasPrefix(string(out), "mosquitto version")
			})
			useBothListeners(t, dir, port, tlsPort)
		})
	}
}

// useBothListeners publishes on each listener what a subscriber on the other
// receives, and checks that the wrong clients are refused.
func useBothListeners(t *testing.T, dir, port, tlsPort string) {
	t.Helper()
	plain := []string{"-p", port}
	tls := []string{"-p", tlsPort, "--cafile", filepath.Join(dir, ".mosqbuild/certs/ca.crt")}
	for from, to := range map[string][2][]string{"plain to TLS": {plain, tls}, "TLS to plain": {tls, plain}} {
		topic := "e2e/" + strings.ReplaceAll(from, " ", "-")
		sub := client(t, dir, "mosquitto_sub", append(to[1], "-t", topic, "-C", "1", "-W", "60", "-q", "1")...)
		out := make(chan string, 1)
		go func() { b, err := sub.Output(); out <- fmt.Sprint(strings.TrimSpace(string(b)), err) }()
		// The subscription may come after a first message; the retained one waits.
		if b, err := client(t, dir, "mosquitto_pub", append(to[0], "-r", "-t", topic, "-m", from, "-q", "1")...).CombinedOutput(); err != nil {
			t.Fatalf("%s: publishing: %v %s", from, err, b)
		}
		if got, want := <-out, from+"<nil>"; got != want {
			t.Errorf("%s: received %s, want %s", from, got, want)
		}
	}
	wrong := write(t, filepath.Join(t.TempDir(), "mosquitto_pub"), "-u admin\n-P wrong\n")
	for what, c := range map[string]struct {
		config string
		args   []string
		want   string
	}{
		"wrong password":           {filepath.Dir(wrong), plain, "not authorised"},
		"wrong password, over TLS": {filepath.Dir(wrong), tls, "not authorised"},
		"no password":              {t.TempDir(), plain, "not authorised"},
		"no password, over TLS":    {t.TempDir(), tls, "not authorised"},
		"untrusted CA":             {filepath.Join(dir, ".mosqbuild/client"), []string{"-p", tlsPort, "--cafile", filepath.Join(dir, "other.crt")}, "tls error"},
	} {
		cmd := client(t, dir, "mosquitto_pub", append(c.args, "-t", "e2e/refused", "-m", "x")...)
		cmd.Env = append(cmd.Env, "XDG_CONFIG_HOME="+c.config)
		b, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(strings.ToLower(string(b)), c.want) {
			t.Errorf("%s: %v, %q; want it refused with %q", what, err, b, c.want)
		}
	}
}

// client is one of Debian's MQTT clients, logging in with the option files.
func client(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(dir, ".mosqbuild/client"))
	cmd.WaitDelay = time.Second
	return cmd
}
