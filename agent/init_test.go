package agent

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

// asInit has the test's program be process 1.
const asInit = "MOSQAGENT_TEST_AS_INIT"

func TestProcess1WaitsForOrphansAlone(t *testing.T) {
	if os.Getenv(asInit) != "" {
		beInit(t)
		return
	}
	need.Root(t)
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcess1WaitsForOrphansAlone$", "-test.v")
	c.Env = append(os.Environ(), asInit+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "one was left, then none") {
		t.Errorf("%v: %s", err, out)
	}
}

func beInit(t *testing.T) {
	if os.Getpid() != 1 {
		t.Fatalf("this is process %d", os.Getpid())
	}
	must(t, syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""))
	must(t, syscall.Mount("proc", "/proc", "proc", 0, ""))
	out, err := exec.Command("sh", "-c", "sleep 0.1 >/dev/null 2>&1 & echo $!").Output()
	must(t, err)
	orphanPid := strings.TrimSpace(string(out))
	broker := exec.Command("sh", "-c", "exit 7")
	must(t, broker.Start())
	left := func() (n int) {
		data, err := os.ReadFile(filepath.Join("/proc", orphanPid, "stat"))
		if err == nil && orphan(string(data)) {
			n++
		}
		return n
	}
	for end := time.Now().Add(patient); left() == 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	before := left()
	reap("/proc", broker.Process.Pid)
	if before != 1 || left() != 0 {
		t.Fatalf("%d were left, then %d", before, left())
	}
	if err := broker.Wait(); err == nil || broker.ProcessState.ExitCode() != 7 {
		t.Fatalf("the broker's end was taken: %v", err)
	}
	fmt.Println("one was left, then none")
}
