package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/config"
	content "github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/internal/state"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// laid lays every package that "packages build" made with args below a
// folder, which it returns.
func laid(t *testing.T, arch string, args ...string) string {
	t.Helper()
	r := try(t, "", nil, program, append([]string{"packages", "path"}, args...)...)
	if r.code != 0 {
		need.Unmet(t, "there are no such packages; run: mosqbuild packages build %s", strings.Join(args, " "))
	}
	packages, err := filepath.Glob(filepath.Join(r.out, arch, "*.apk"))
	if err != nil || len(packages) < 5 {
		t.Fatalf("packages in %s: %q, %v", r.out, packages, err)
	}
	root := t.TempDir()
	for _, p := range packages {
		run(t, root, "tar", "--extract", "--gzip", "--warning=no-unknown-keyword", "--file", p)
	}
	return root
}

// serve runs the broker below root by the command line that starts with how,
// under the configuration that is rendered for cfg, and returns its ports, in the
// order of cfg's listeners. The state is in dir.
func serve(t *testing.T, dir, root string, cfg config.Config, how ...string) (ports []string) {
	t.Helper()
	secrets, err := state.Dir{Path: filepath.Join(dir, state.DirName)}.Secrets(cfg, dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := content.Render(cfg, secrets)
	if err != nil {
		t.Fatal(err)
	}
	moved := []string{"/mosquitto/", root + "/mosquitto/", config.PluginDir + "/mosquitto_", root + config.PluginDir + "/mosquitto_"}
	for i, l := range cfg.Listeners {
		ports = append(ports, freePort(t))
		moved = append(moved, fmt.Sprintf("listener %d\n", l.Port), "listener "+ports[i]+" 127.0.0.1\n")
	}
	move := strings.NewReplacer(moved...)
	if err := os.MkdirAll(filepath.Join(root, config.DataDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(b.Rendered, b.Defaults) {
		path, text := filepath.Join(root, f.Path), string(f.Data)
		if filepath.Base(path) == config.ConfFile {
			text = move.Replace(text)
			if os.Getuid() == 0 { // the broker would become a user that can't read t.TempDir
				text = "user root\n" + text
			}
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	args := append(slices.Clone(how), filepath.Join(root, config.BrokerPath), "-c", filepath.Join(root, config.ConfigDir, config.ConfFile))
	start(t, root, args[0], args[1:]...)
	for _, port := range ports {
		listening(t, port)
	}
	return ports
}

func TestBrokerOfAnotherArchitecture(t *testing.T) {
	if runtime.GOARCH == "arm64" {
		t.Skip("skipped: arm64 is this machine's own architecture")
	}
	need.Program(t, "qemu-aarch64", "tar")
	root, dir := laid(t, "aarch64", "--arch", "arm64"), t.TempDir()
	ports := serve(t, dir, root, config.Default(), "qemu-aarch64", "-L", root)
	passed(t, dir, "--port", ports[0], "--tls-port", ports[1])
	if got := run(t, dir, "qemu-aarch64", "-L", root, filepath.Join(root, "bin/busybox"), "sh", "-c", "echo $((6 * 7))"); got != "42" {
		t.Errorf("its shell says %q", got)
	}
}

// TestBrokerOfSeries21 has the rendered configuration of each profile run by a
// real broker of the other series, by the tests that run it with the first, and
// uses what that series alone has: WebSockets and dynamic security.
func TestBrokerOfSeries21(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("skipped: the packages looked for are amd64's")
	}
	need.Program(t, "tar", "mosquitto_sub", "mosquitto_pub")
	root, dir := laid(t, "x86_64", "--mosquitto", "2.1"), t.TempDir()
	how := []string{filepath.Join(root, "lib/ld-musl-x86_64.so.1"), "--library-path", filepath.Join(root, "usr/lib")}
	cfg := config.Default()
	cfg.Mosquitto = "2.1"
	cfg.Listeners = append(cfg.Listeners, config.Listener{Name: "ws", Port: 8080, WebSockets: true},
		config.Listener{Name: "wss", Port: 8443, TLS: true, WebSockets: true})
	ports := serve(t, dir, root, cfg, how...)
	passed(t, dir, "--port", ports[0], "--tls-port", ports[1])
	overWebSockets(t, dir, "ws://localhost:"+ports[2])
	overWebSockets(t, dir, "wss://localhost:"+ports[3])
	dynamicSecurity(t, dir, root, how...)

	broker := filepath.Join(dir, "broker")
	write(t, broker, fmt.Sprintf("#!/bin/sh\nexec %s %s%s \"$@\"\n", strings.Join(how, " "), root, config.BrokerPath))
	if err := os.Chmod(broker, 0o755); err != nil {
		t.Fatal(err)
	}
	env := []string{"MOSQUITTO=" + broker, "MOSQUITTO_PLUGINS=" + root + config.PluginDir}
	r := try(t, "../../files", env, "go", "test", "-count=1", "-v", "-run", "Broker|Pair", ".")
	if r.code != 0 || !strings.Contains(r.out, "--- PASS: TestPairBridgesBothWaysOnce") || strings.Contains(r.out, "--- SKIP") {
		t.Errorf("the configurations' own tests, by the broker of series 2.1: exit %d\n%s%s", r.code, r.out, r.err)
	}
}
