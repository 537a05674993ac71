package probe_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

// plainBroker is a real mosquitto without logins that can be killed and
// started again on its port; it is ended with the test.
type plainBroker struct {
	t          *testing.T
	port       int
	conf, path string
	cmd        *exec.Cmd
	log        bytes.Buffer
}

// startPlain starts one; conf is more of its mosquitto.conf. The program is
// MOSQBUILD_MOSQUITTO, else the installed one.
func startPlain(t *testing.T, conf string) *plainBroker {
	t.Helper()
	b := &plainBroker{t: t, port: need.Port(t), path: os.Getenv("MOSQBUILD_MOSQUITTO")}
	if b.path == "" {
		var err error
		if b.path, err = exec.LookPath("mosquitto"); err != nil {
			b.path = "/usr/sbin/mosquitto" // where a user's PATH doesn't lead
		}
	}
	if _, err := os.Stat(b.path); err != nil {
		need.Unmet(t, "mosquitto is not installed")
	}
	b.conf = filepath.Join(t.TempDir(), "mosquitto.conf")
	write(t, b.conf, fmt.Appendf(nil, "user root\nallow_anonymous true\nlistener %d 127.0.0.1\n%s", b.port, conf))
	t.Cleanup(func() {
		b.kill()
		if t.Failed() {
			t.Logf("the broker's log:\n%s", b.log.String())
		}
	})
	b.start()
	return b
}

func (b *plainBroker) start() {
	b.t.Helper()
	b.cmd = exec.Command(b.path, "-c", b.conf)
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !listening(b.port); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatal("the broker doesn't listen")
		}
	}
}

func (b *plainBroker) kill() {
	if b.cmd != nil {
		b.cmd.Process.Kill()
		b.cmd.Wait()
		b.cmd = nil
	}
}

func (b *plainBroker) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", b.port))
}

// stall is a connection whose reads and writes each wait for delay's time:
// what a lossy network makes of TCP.
type stall struct {
	net.Conn
	read, write sync.Mutex
	delay       func() time.Duration
}

func (s *stall) Read(p []byte) (int, error) {
	s.read.Lock()
	defer s.read.Unlock()
	n, err := s.Conn.Read(p)
	time.Sleep(s.delay())
	return n, err
}

func (s *stall) Write(p []byte) (int, error) {
	s.write.Lock()
	defer s.write.Unlock()
	time.Sleep(s.delay())
	return s.Conn.Write(p)
}

// olderThan2016 says whether the broker acknowledges a subscription of which it
// has thrown away messages.
func olderThan2016(t *testing.T, b *plainBroker) bool {
	t.Helper()
	out, _ := exec.Command(b.path, "-h").CombinedOutput() // -h returns 3
	var minor, patch int
	if _, err := fmt.Sscanf(string(out), "mosquitto version 2.%d.%d", &minor, &patch); err != nil {
		t.Fatalf("reading the version in %q: %v", out, err)
	}
	return minor == 0 && patch < 16
}
