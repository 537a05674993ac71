package agent

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

func TestEmptyLeavesTheFolderItself(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, lostFound), 0o700))
	if !holds(dir) {
		t.Error("nothing is there")
	}
	must(t, empty(dir))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || holds(dir) {
		t.Errorf("left: %v, %v", entries, err)
	}
	missing := filepath.Join(dir, "missing")
	if err := empty(missing); err != nil || holds(missing) {
		t.Errorf("a missing folder: %v", err)
	}
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if empty(file) == nil || !holds(file) {
		t.Error("a file counts as an empty folder")
	}
}

func TestPausesGrow(t *testing.T) {
	var c child
	last := time.Duration(-1)
	for n := range 12 {
		c.run, c.began, c.asked = "r", 0, ""
		c.end(time.Second)
		wait := c.notBefore - time.Second
		if wait < last || wait > lastPause || n == 0 && wait != 0 {
			t.Errorf("after %d: %s, before that %s", n+1, wait, last)
		}
		last = wait
	}
	if last != lastPause {
		t.Errorf("the last pause is %s", last)
	}
	c.run, c.began = "r", 0
	if c.end(settled + 1); c.notBefore != 0 || c.down != downCrashed {
		t.Errorf("after a run that lasted: %+v", c)
	}
}

func TestOrphans(t *testing.T) {
	for stat, want := range map[string]bool{
		"7 (x) Z 1 7 7 0":      true,
		"7 (x) Z 12 7 7 0":     false,
		"7 (x) S 1 7 7 0":      false,
		"7 (a) Z 1 (b) S 9 7":  false,
		"7 (a b) c) Z 1 7 7 0": true,
		"":                     false,
	} {
		if got := orphan(stat); got != want {
			t.Errorf("%q: %v", stat, got)
		}
	}
	reap("/proc", 0) // nobody's but process 1's are touched
	c := exec.Command("true")
	must(t, c.Start())
	reap("/proc", 0)
	if err := c.Wait(); err != nil {
		t.Errorf("another's child was taken: %v", err)
	}
}

func TestHungUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	near, err := l.Accept()
	must(t, err)
	defer near.Close()
	must(t, impatient(near.(*net.TCPConn)))
	_, err = far.Write([]byte("unread"))
	must(t, err)
	if hungUp(near.(*net.TCPConn)) {
		t.Error("it is still there")
	}
	far.Close()
	for end := time.Now().Add(patient); !hungUp(near.(*net.TCPConn)); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody noticed")
		}
	}
}

func TestClusterNetwork(t *testing.T) {
	a := config.Agent{Name: "broker"}
	n := ClusterNetwork(a, secondary, nil)
	if n.PeerGuard != "broker-primary-guard:8890" || n.PeerBridge != "broker-primary-guard:8884" || n.Gate != "127.0.0.1:8885" || n.Guard != ":8890" {
		t.Errorf("the secondary's: %+v", n)
	}
	if n = ClusterNetwork(a, primary, nil); n.Gate != "" || n.PeerBridge != "" || n.PeerGuard != "broker-secondary-guard:8890" {
		t.Errorf("the primary's: %+v", n)
	}
}

// What is known of the active broker from before its link ended, or just after, is
// no reason to begin anew, whoever tells of that end first.
func TestOtherServes(t *testing.T) {
	at := func(ms int) time.Duration { return 10*time.Second + time.Duration(ms)*time.Millisecond }
	for name, test := range map[string]struct {
		down, asked, heard int // ms
		want               bool
	}{
		"before the gate asked":     {-5000, 0, -1, false},
		"before the link went down": {0, -5000, -1, false},
		"at once":                   {0, 2, 5, false},
		"for long":                  {0, 2, 400, true},
	} {
		g := &Guard{o: Options{Role: primary, Settings: config.Default().Agent(nil)}, wanted: at(test.asked)}
		g.link.down = at(test.down)
		g.other = Other{&record.Status{Role: secondary, Run: "r", Healthy: true}, at(test.heard)}
		if got := g.otherServes(&record.Record{Active: secondary}, at(450)); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
