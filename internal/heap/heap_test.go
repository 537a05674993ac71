package heap

import (
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
)

func TestRelaxedUnlessGOGCSaysOtherwise(t *testing.T) {
	if os.Getenv("HEAP_TEST_CHILD") != "" {
		before := debug.SetGCPercent(percent)
		if before != percent {
			t.Fatalf("GC percent %d", before)
		}
		return
	}
	for gogc, relaxed := range map[string]bool{"": true, "100": false} {
		cmd := exec.Command(os.Args[0], "-test.run", t.Name())
		for _, v := range os.Environ() {
			if !strings.HasPrefix(v, "GOGC=") {
				cmd.Env = append(cmd.Env, v)
			}
		}
		cmd.Env = append(cmd.Env, "HEAP_TEST_CHILD=1")
		if gogc != "" {
			cmd.Env = append(cmd.Env, "GOGC="+gogc)
		}
		if out, err := cmd.CombinedOutput(); (err == nil) != relaxed {
			t.Errorf("GOGC %q: %v, %s", gogc, err, out)
		}
	}
}
