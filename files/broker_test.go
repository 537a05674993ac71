package files_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/passwd"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// broker is a real one, under a rendered configuration.
type broker struct {
	port int // plain
	log  string
	stop func()
}

// mosquitto is the broker to test with, and its series: the one in PATH, or
// $MOSQUITTO, whose plugins are in $MOSQUITTO_PLUGINS.
func mosquitto(t *testing.T) (path, series string) {
	t.Helper()
	path, err := exec.LookPath("mosquitto")
	if custom := os.Getenv("MOSQUITTO"); custom != "" {
		path, err = custom, nil
	}
	if err == nil {
		_, err = exec.LookPath("mosquitto_sub")
	}
	if err != nil {
		t.Skipf("no broker to test with: %v", err)
	}
	out, _ := exec.Command(path, "-h").Output()
	series = "2.0"
	if strings.HasPrefix(string(out), "mosquitto version 2.1") {
		series = "2.1"
	}
	return path, series
}

// lay writes the files of one broker below a folder, each behind a symbolic
// link as in a Kubernetes volume, with ports and addresses of this machine in
// place of a cluster's.
func lay(t *testing.T, all []files.File, replace ...string) string {
	t.Helper()
	dir := t.TempDir()
	replace = append(replace, "/mosquitto/", dir+"/mosquitto/")
	if plugins := os.Getenv("MOSQUITTO_PLUGINS"); plugins != "" {
		replace = append(replace, config.PluginDir+"/mosquitto_", plugins+"/mosquitto_")
	}
	if err := os.MkdirAll(filepath.Join(dir, config.DataDir), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		path := filepath.Join(dir, f.Path)
		target := filepath.Join(filepath.Dir(path), "..data", filepath.Base(path))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		data := f.Data
		if filepath.Base(path) == config.ConfFile {
			data = []byte(strings.NewReplacer(replace...).Replace(string(data)))
			if os.Getuid() == 0 { // the broker would become a user that can't read t.TempDir
				data = append([]byte("user root\n"), data...)
			}
		}
		if err := errors.Join(os.WriteFile(target, data, 0o440), os.Symlink(filepath.Join("..data", filepath.Base(path)), path)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// start runs a broker until the test ends or stop is called.
func start(t *testing.T, dir string, port int) *broker {
	t.Helper()
	path, _ := mosquitto(t)
	b := &broker{port: port, log: filepath.Join(dir, "log")}
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c := exec.Command(path, "-c", filepath.Join(dir, config.ConfigDir, config.ConfFile))
	c.Stdout, c.Stderr = log, log
	c.Env = append(os.Environ(), "MOSQUITTO_UNSAFE_ALLOW_SYMLINKS=1") // as the pod has it
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	b.stop = func() {
		if !stopped {
			stopped = true
			c.Process.Signal(os.Interrupt) // so that it writes its log to the end
			// Debian's 2.0.11 can loop for ever over its clients' keepalives.
			stuck := time.AfterFunc(10*time.Second, func() { c.Process.Kill() })
			defer stuck.Stop()
			c.Wait()
		}
	}
	t.Cleanup(b.stop)
	wait(t, b, "listening", func() bool {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return b
}

func wait(t *testing.T, b *broker, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(b.log)
			t.Fatalf("not %s; the broker's log:\n%s", what, log)
		}
	}
}

const login = "-u admin -P admin"

// get returns the messages that a client gets within some seconds.
func (b *broker) get(t *testing.T, seconds, topic string, more ...string) []string {
	t.Helper()
	args := append([]string{"-p", fmt.Sprint(b.port), "-t", topic, "-v", "-W", seconds}, strings.Fields(login)...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // more than any of the seconds
	defer cancel()
	out, _ := exec.CommandContext(ctx, "mosquitto_sub", append(args, more...)...).Output() // 27 at the end of the time
	return slices.DeleteFunc(strings.Split(string(out), "\n"), func(s string) bool { return s == "" })
}

func (b *broker) put(t *testing.T, topic, message string, more ...string) {
	t.Helper()
	args := append([]string{"-p", fmt.Sprint(b.port), "-t", topic, "-m", message, "-q", "1"}, strings.Fields(login)...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "mosquitto_pub", append(args, more...)...).CombinedOutput(); err != nil {
		t.Fatalf("publishing: %v\n%s", err, out)
	}
}

// The broker starts under the rendered configuration as it is, of each source
// of certificates that gives it one, and complains of nothing.
func TestBrokerAcceptsItsConfiguration(t *testing.T) {
	_, series := mosquitto(t)
	for _, anonymous := range []bool{false, true} {
		cfg := config.Default()
		cfg.Mosquitto, cfg.AllowAnonymous = series, anonymous
		ca, err := certs.NewCA(certs.CARequest{Name: "test CA", NotBefore: time.Now().Add(-time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := certs.Issue(ca, certs.LeafRequest{Hosts: []string{"localhost"}, NotBefore: time.Now().Add(-time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := files.Render(cfg, files.Secrets{CA: ca.Cert, Cert: leaf.Cert, Key: leaf.Key, Passwd: hashed(t, "admin")})
		if err != nil {
			t.Fatal(err)
		}
		port, tls := need.Port(t), need.Port(t)
		broker := start(t, lay(t, slices.Concat(b.Rendered, b.Defaults),
			"listener 1883", fmt.Sprintf("listener %d 127.0.0.1", port), "listener 8883", fmt.Sprintf("listener %d 127.0.0.1", tls)), port)
		broker.put(t, "a", "1", "-r")
		if got := broker.get(t, "15", "a", "-C", "1"); !slices.Equal(got, []string{"a 1"}) {
			t.Errorf("got %q", got)
		}
		err = exec.Command("mosquitto_sub", "-p", fmt.Sprint(port), "-t", "a", "-C", "1", "-W", "15").Run()
		if (err == nil) != anonymous {
			t.Errorf("anonymous is %v; without a login: %v", anonymous, err)
		}
		broker.stop()
		broker.quiet(t)
	}
}

// quiet checks that the broker has warned of nothing that a pod would have, but for
// lines in which there is one of except.
func (b *broker) quiet(t *testing.T, except ...string) {
	t.Helper()
	log, err := os.ReadFile(b.log)
	if err != nil {
		t.Fatal(err)
	}
	// A bridge that finds nobody is refused, or let go by the link between.
	except = append(except, "run as root", "refused", "unexpected eof")
	for line := range strings.Lines(string(log)) {
		warns := strings.Contains(line, "Warning") || strings.Contains(line, "deprecated") || strings.Contains(line, "Error") || strings.Contains(line, "dropped")
		if warns && !slices.ContainsFunc(except, func(s string) bool { return strings.Contains(line, s) }) {
			t.Errorf("the broker complains: %s", line)
		}
	}
}

// hashed is a password file in which each user's password is its name.
func hashed(t *testing.T, users ...string) []byte {
	t.Helper()
	f, err := passwd.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range users {
		hash, err := passwd.Hasher{}.Hash([]byte(user))
		if err == nil {
			err = f.Set(user, hash)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return f.Bytes()
}
