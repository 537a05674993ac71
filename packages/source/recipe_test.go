package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

// testBuilder returns a builder in a cache of its own, with n jobs, and the
// events that it tells.
func testBuilder(t *testing.T, n int) (*builder, *[]Event) {
	t.Helper()
	var events []Event
	native, err := machineFor("")
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{store: storeIn(t.TempDir()), machine: native, series: allSeries[0]}
	b.o.Progress = func(e Event) { events = append(events, e) }
	if err := os.MkdirAll(b.store.root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.store.sweep(); err != nil {
		t.Fatal(err)
	}
	jobs, err := newJobs(n)
	if err != nil {
		t.Fatal(err)
	}
	b.jobs = jobs
	t.Cleanup(func() {
		if err := jobs.close(); err != nil {
			t.Error(err)
		}
	})
	return b, &events
}

// fake returns a step that runs a script in place of a recipe.
func (b *builder) fake(name, script string, needs ...*step) *step {
	s := &step{name: name, key: digest(needs, name, script), needs: needs}
	s.out = b.store.path("steps", name)
	s.run = recipe{step: s, scripts: map[string]string{name + ".sh": script}, machine: b.machine, jobs: b.jobs}.script
	return s
}

func TestStepLeavesItsResultAndNothingElse(t *testing.T) {
	t.Setenv("MOSQBUILD_SECRET", "must not be seen")
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	b, events := testBuilder(t, 1)
	first := b.fake("first", "echo one >$OUT/file")
	second := b.fake("second", "cat $FIRST/file >$OUT/file\nenv | sort\nmkdir $OUT/sub\nls $RECIPES")
	second.needs = []*step{first}
	for _, s := range []*step{first, second} {
		if err := b.make(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(second.out, "file")); err != nil || string(data) != "one\n" {
		t.Errorf("the second step read %q, %v", data, err)
	}
	if info, err := os.Stat(filepath.Join(second.out, "sub")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("a folder's mode hangs on the umask: %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(b.store.path("work")); err != nil || len(left) != 0 {
		t.Errorf("left in the work folder: %v, %v", left, err)
	}
	log, err := os.ReadFile(b.store.path("logs", "second.log"))
	if err != nil || strings.Contains(string(log), "SECRET") || !strings.Contains(string(log), "SOURCE_DATE_EPOCH=1754697600\n") || !strings.Contains(string(log), "LC_ALL=C\n") {
		t.Errorf("the step's environment: %s, %v", log, err)
	}
	if got := *events; len(got) != 4 || got[0].State != Started || got[3].State != Done || got[3].Step != "second" {
		t.Errorf("told %v", got)
	}
}

func TestFailedStepShowsItsLog(t *testing.T) {
	b, events := testBuilder(t, 1)
	s := b.fake("broken", "touch $OUT/half\nfor i in $(seq 30); do echo line $i; done\nfalse\necho not reached")
	err := b.make(context.Background(), s)
	var failed *StepError
	if !errors.As(err, &failed) || failed.Step != "broken" {
		t.Fatalf("error %v is no StepError", err)
	}
	lines := strings.Split(strings.TrimSpace(failed.Tail), "\n")
	if len(lines) != 20 || strings.TrimSpace(lines[19]) != "line 30" || strings.Contains(err.Error(), "not reached") {
		t.Errorf("its last lines: %q", lines)
	}
	if log, readErr := os.ReadFile(failed.Log); readErr != nil || !strings.Contains(err.Error(), failed.Log) || !strings.Contains(string(log), "line 1\n") {
		t.Errorf("its log: %v, error %v", readErr, err)
	}
	if s.done() {
		t.Error("half a result counts as one")
	}
	if got := (*events)[len(*events)-1]; got.State != Failed {
		t.Errorf("told %v", got)
	}
}

func TestInterruptedStepLeavesNothing(t *testing.T) {
	b, _ := testBuilder(t, 1)
	pids := filepath.Join(t.TempDir(), "pids")
	s := b.fake("slow", "touch $OUT/half\nsleep 300 & echo $! >>"+pids+"\n(echo $$ >>"+pids+"; sleep 301) & wait")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.make(ctx, s) }()
	started := eventually(func() bool {
		data, _ := os.ReadFile(pids)
		return strings.Count(string(data), "\n") == 2
	})
	if !started {
		t.Fatal("the step did not start")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v is not the context's", err)
	}
	if s.done() {
		t.Error("half a result counts as one")
	}
	if left, err := os.ReadDir(b.store.path("work")); err != nil || len(left) != 0 {
		t.Errorf("left in the work folder: %v, %v", left, err)
	}
	data, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		if !eventually(func() bool { return gone(pid) }) {
			t.Errorf("process %d outlived its step", pid)
		}
	}
}

// gone reports whether a process has ended, reaped or not.
func gone(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(data), ") Z ")
}

func eventually(f func() bool) bool {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if f() {
			return true
		}
	}
	return false
}

// TestMakesShareJobs runs two makes at once, each with more to do than the
// jobs allow: each may run one process of its own, the rest is shared.
func TestMakesShareJobs(t *testing.T) {
	if lookup("make") == "" {
		need.Unmet(t, "there is no make on this machine")
	}
	b, _ := testBuilder(t, 2)
	dir := t.TempDir()
	script := `cat >Makefile <<'END'
all: 1 2 3 4 5 6
1 2 3 4 5 6:
	@mkdir ` + dir + `/$$PPID-$@; ls ` + dir + ` | wc -l; sleep 0.05; rmdir ` + dir + `/$$PPID-$@
END
make`
	todo := []*step{b.fake("one", script), b.fake("two", script)}
	if err := execute(context.Background(), todo, 2, b.make); err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, s := range todo {
		log, err := os.ReadFile(b.store.path("logs", s.name+".log"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Fields(string(log)) {
			n, err := strconv.Atoi(line)
			if err != nil {
				t.Fatalf("make printed %s", log)
			}
			most = max(most, n)
		}
	}
	if most < 2 || most > 3 {
		t.Errorf("%d processes ran at once, want 2 or 3", most)
	}
}

func TestRecipesAreComplete(t *testing.T) {
	scripts, err := readRecipes()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range compiled {
		names = append(names, c.name+".sh")
	}
	for _, s := range allSeries {
		names = append(names, s.recipe)
	}
	for _, name := range names {
		text := scripts[name]
		if !strings.HasPrefix(text, "# ") || !strings.Contains(text, "set -eu") && !strings.Contains(text, "toolchain.sh") {
			t.Errorf("recipe %q has no comment at its head, or goes on after an error", name)
		}
	}
}
