package passwd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/passwd"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// program skips the test where the program is not installed.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, p := range []string{name, "/usr/sbin/" + name} { // not in every PATH
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	need.Unmet(t, "%s is not installed", name)
	return ""
}

// awkward are passwords that quoting, trimming or encoding could spoil.
var awkward = map[string]string{
	"plain": "secret", "spaces": " with blanks ", "colon": "a:b:c", "dollar": "$7$x", "hash": "#x",
	"unicode": "pässwörd ☃", "long": strings.Repeat("0123456789", 20), "blank name": "x", "-dash": "-x", "$dollar": "y",
}

// TestReadsMosquittoPasswd verifies what the real program wrote.
func TestReadsMosquittoPasswd(t *testing.T) {
	tool := program(t, "mosquitto_passwd")
	for _, kind := range []string{"", "sha512", "sha512-pbkdf2"} {
		path := filepath.Join(t.TempDir(), "passwd")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for user, password := range awkward {
			args := []string{"-b", path, user, password}
			if kind != "" {
				args = append([]string{"-H", kind}, args...)
			}
			if strings.HasPrefix(user, "-") {
				continue // it takes this for an option
			}
			if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
				t.Fatalf("%s %q: %v: %s", tool, args, err, out)
			}
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := read(t, string(data))
		if got := len(f.Users()); got != len(awkward)-1 {
			t.Errorf("%q: %d users, want %d", kind, got, len(awkward)-1)
		}
		for _, user := range f.Users() {
			if err := f.Verify(user, []byte(awkward[user])); err != nil {
				t.Errorf("%q: %v", kind, err)
			}
			if f.Verify(user, []byte(awkward[user]+"x")) == nil {
				t.Errorf("%q: user %q: a wrong password passed", kind, user)
			}
		}
		if p := f.Problems(); len(p) > 0 {
			t.Errorf("%q: %v", kind, p)
		}
	}
}

// TestMosquittoPasswdReads has the real program edit a file of ours.
func TestMosquittoPasswdReads(t *testing.T) {
	tool := program(t, "mosquitto_passwd")
	path := filepath.Join(t.TempDir(), "passwd")
	ours := read(t, strings.TrimPrefix(string(fill(t).Bytes()), comment)) // the broker takes comments, its own tool does not
	if err := os.WriteFile(path, ours.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "-D", path, "plain").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ours.Delete("plain")
	if !bytes.Equal(bytes.TrimSpace(data), bytes.TrimSpace(ours.Bytes())) {
		t.Errorf("mosquitto_passwd -D left\n%s\nwant\n%s", data, ours.Bytes())
	}
}

const comment = "# a comment\n\n"

func fill(t testing.TB) *passwd.File {
	t.Helper()
	f := read(t, comment)
	for user, password := range awkward {
		h, err := passwd.Hasher{}.Hash([]byte(password))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Set(user, h); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// TestBroker has a real broker judge logins by a file of ours.
func TestBroker(t *testing.T) {
	broker := program(t, "mosquitto")
	path := filepath.Join(t.TempDir(), "passwd")
	f := fill(t)
	old, err := exec.Command(program(t, "mosquitto_passwd"), "-H", "sha512", "-c", "-b", path, "old", "secret").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, old)
	}
	theirs, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	addr := startBroker(t, broker, append(f.Bytes(), theirs...))
	try := func(user, password string, want byte) {
		t.Helper()
		if got := login(t, addr, user, password); got != want {
			t.Errorf("%q, %.20q: CONNACK %d, want %d", user, password, got, want)
		}
	}
	for user, password := range awkward {
		try(user, password, 0)
		try(user, password+"x", 5)
		try(user, "", 5)
	}
	try("old", "secret", 0)
	try("nobody", "secret", 5)
	try("#x", "secret", 5)
}

// startBroker runs a broker on a free port of the loopback interface until the
// test ends.
func startBroker(t *testing.T, broker string, passwords []byte) (addr string) {
	t.Helper()
	port, dir := need.Port(t), t.TempDir()
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous false\npassword_file %s/passwd\n", port, dir)
	if os.Getuid() == 0 {
		conf += "user root\n" // or it gives up its rights, and with them the folder
	}
	for name, data := range map[string][]byte{"passwd": passwords, "mosquitto.conf": []byte(conf)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, broker, "-c", filepath.Join(dir, "mosquitto.conf"))
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = c.Wait() // killed, by the line above
		if t.Failed() {
			t.Logf("the broker said:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("the broker does not listen on %s", addr)
		}
	}
}

// login sends an MQTT 3.1.1 CONNECT and returns the code of the CONNACK. It is
// written out here since this package may import no MQTT library.
func login(t *testing.T, addr, user, password string) byte {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text := func(s string) []byte { return append([]byte{byte(len(s) >> 8), byte(len(s))}, s...) }
	body := append(text("MQTT"), 4, 0xc2, 0, 60) // level, flags, keepalive
	for _, s := range []string{"", user, password} {
		body = append(body, text(s)...)
	}
	packet := []byte{0x10}
	for n := len(body); ; n >>= 7 {
		if n < 128 {
			packet = append(packet, byte(n))
			break
		}
		packet = append(packet, byte(n)|0x80)
	}
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(append(packet, body...)); err != nil {
		t.Fatal(err)
	}
	var ack [4]byte
	if _, err := io.ReadFull(c, ack[:]); err != nil || ack[0] != 0x20 {
		t.Fatalf("%q: no CONNACK: % x, %v", user, ack, err)
	}
	return ack[3]
}

// TestHtpasswd asks Apache's own program.
func TestHtpasswd(t *testing.T) {
	tool := program(t, "htpasswd")
	h, err := passwd.Hasher{Format: passwd.Htpasswd, Cost: 5}.Hash([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	var f passwd.File
	if err := f.Set("a", h); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(path, f.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool, "-vb", path, "a", "secret").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := exec.Command(tool, "-vb", path, "a", "wrong").CombinedOutput(); err == nil {
		t.Errorf("a wrong password passed: %s", out)
	}
	if out, err := exec.Command(tool, "-B", "-b", path, "b", "theirs").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := read(t, string(data)).Verify("b", []byte("theirs")); err != nil {
		t.Error(err)
	}
}
