package e2e_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/need"
	"github.com/mosqbuild/mosqbuild/testing/podmantest"
)

// The two commands with which a newcomer tries the broker, detached and in the
// foreground.
func TestRunAndProbe(t *testing.T) {
	need.Program(t, "podman")
	localPackages(t)
	podman := podmantest.New(t)
	podman.Setenv(t)
	dir := t.TempDir()
	ports := []string{"--port", freePort(t), "--tls-port", freePort(t)}

	id := mosqbuild(t, dir, append([]string{"run", "--local", "--detach", "--name", "tried"}, ports...)...)
	if want := podman.Podman(t, "ps", "--quiet", "--no-trunc"); id != want {
		t.Errorf("it printed %q, running is %q", id, want)
	}
	format := "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.SecurityOpt}} {{.EffectiveCaps}}"
	if got := podman.Podman(t, "inspect", "--format", format, id); !regexp.MustCompile(`^[1-9][0-9]{4,9}:0 true \[no-new-privileges\] \[\]$`).MatchString(got) {
		t.Errorf("it runs as %q", got)
	}
	passed(t, dir, ports...)
	wrong := write(t, filepath.Join(dir, "wrong"), "wrong\n")
	if r := try(t, dir, nil, program, append([]string{"probe", "--password-file", wrong}, ports...)...); r.code != 5 || !strings.Contains(r.out, "login refused with code 5") {
		t.Errorf("with a wrong password: exit %d\n%s%s", r.code, r.out, r.err)
	}
	if r := try(t, dir, nil, program, "run", "--name", "tried"); r.code == 0 || !strings.Contains(r.err, "hint: run: podman rm -f tried") {
		t.Errorf("a second one under the name: exit %d, %s", r.code, r.err)
	}
	podman.Podman(t, "rm", "--force", "--time", "5", "tried")

	cmd := exec.Command(program, append([]string{"run"}, ports...)...)
	cmd.Dir = dir
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an answer of the broker in the foreground", func() bool {
		return try(t, dir, nil, program, append([]string{"probe"}, ports...)...).code == 0
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Wait(); err != nil || !strings.Contains(log.String(), "terminating") {
		t.Errorf("ended by SIGINT, it says %v\n%s", err, log.String())
	}
	if left := podman.Podman(t, "ps", "--all", "--quiet"); left != "" {
		t.Errorf("containers are left: %s", left)
	}
}

// passed wants every check of the broker at the ports to pass.
func passed(t *testing.T, dir string, ports ...string) {
	t.Helper()
	var got struct {
		OK     bool
		Checks []struct {
			Name    string
			OK      bool
			Skipped bool
		}
	}
	out := mosqbuild(t, dir, append([]string{"probe", "--timeout", "30s", "--format", "json"}, ports...)...)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	if !got.OK || len(got.Checks) != 30 {
		t.Errorf("%d checks, all good: %v", len(got.Checks), got.OK)
	}
	for _, c := range got.Checks {
		if !c.OK || c.Skipped {
			t.Errorf("%+v", c)
		}
	}
}
