package machine_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/cluster/machine"
)

// sleeper starts a process that a record can have, and takes leave of it.
func sleeper(t *testing.T) machine.Process {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p, err := machine.Find("sleep", cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// record makes one with a running process.
func record(t *testing.T) (*machine.Record, machine.Process) {
	t.Helper()
	r, err := machine.Create(filepath.Join(t.TempDir(), "clusters", "test"), machine.Process{Name: "owner", PID: os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	p := sleeper(t)
	if err := r.Add(p); err != nil {
		t.Fatal(err)
	}
	return r, p
}

func TestUndo(t *testing.T) {
	r, p := record(t)
	if _, err := machine.Create(r.Dir, machine.Process{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second one in the folder: %v", err)
	}
	again, err := machine.Read(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.Named("sleep"); len(got) != 1 || got[0] != p {
		t.Errorf("it has the processes %v, not %v", got, p)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 2 { // the second time there is nothing to do
		if err := again.Undo(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if p.Alive() {
		t.Error("its process still runs")
	}
	if _, err := os.Stat(filepath.Dir(r.Dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
}

// A number that another process has by now is left alone.
func TestUndoSparesOthers(t *testing.T) {
	r, err := machine.Create(filepath.Join(t.TempDir(), "test"), machine.Process{})
	if err != nil {
		t.Fatal(err)
	}
	p := sleeper(t)
	older := p
	older.Start--
	if err := r.Add(older); err != nil {
		t.Fatal(err)
	}
	if err := r.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.Alive() || older.Alive() {
		t.Errorf("alive: %v, and by its old number %v", p.Alive(), older.Alive())
	}
	if err := older.Signal(0); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a signal to it: %v", err)
	}
}

func TestWatch(t *testing.T) {
	r, p := record(t)
	if err := machine.Watch(strings.NewReader(machine.Keep), r.Dir); err != nil || !p.Alive() {
		t.Fatalf("told to keep it: %v, and its process runs: %v", err, p.Alive())
	}
	if err := machine.Watch(strings.NewReader(""), r.Dir); err != nil || p.Alive() {
		t.Fatalf("its owner gone: %v, and its process runs: %v", err, p.Alive())
	}
	if err := machine.Watch(strings.NewReader(""), r.Dir); err != nil {
		t.Fatalf("the owner having undone it: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := machine.Read(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a record: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "record.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := machine.Read(dir); err == nil {
		t.Error("half a record is read")
	}
}
