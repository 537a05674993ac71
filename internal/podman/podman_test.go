package podman_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/podman"
	"github.com/mosqbuild/mosqbuild/testing/need"
	"github.com/mosqbuild/mosqbuild/testing/podmantest"
)

// log collects a container's output while it runs.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestRun(t *testing.T) {
	e := podmantest.New(t)
	e.Setenv(t)
	o := podman.Options{
		Image: e.EchoImage(t, "1883", "8883"), Name: "broker", User: "30123",
		Ports: []podman.Port{{Host: need.Port(t), Container: 1883}, {Host: need.Port(t), Container: 8883}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := podman.Check(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var out log
	ended := make(chan error, 1)
	go func() { ended <- podman.Run(ctx, o, &out) }()
	for _, p := range o.Ports {
		if got := ask(t, p.Host); got != fmt.Sprint(p.Container) {
			t.Errorf("port %d answers %q, want %d", p.Host, got, p.Container)
		}
	}
	t.Run("taken", func(t *testing.T) {
		again := o
		if err := podman.Check(ctx, again); !strings.Contains(fault.HintOf(err), "podman rm -f broker") {
			t.Errorf("a taken name: %v (hint %q)", err, fault.HintOf(err))
		}
		again.Name = "other"
		if err := podman.Check(ctx, again); !strings.Contains(fault.HintOf(err), "--port") {
			t.Errorf("a taken port: %v (hint %q)", err, fault.HintOf(err))
		}
	})
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it was told to end, which is no failure: %v", err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("it doesn't end")
	}
	for _, want := range []string{"user 30123 0 ", "write / false", "write /mosquitto/data true", "got terminated"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if left := e.Podman(t, "ps", "--all", "--quiet"); left != "" {
		t.Errorf("containers left behind: %s", left)
	}
}

func TestRunEndsByItself(t *testing.T) {
	e := podmantest.New(t)
	e.Setenv(t)
	o := podman.Options{Image: e.EchoImage(t), Name: "broker", User: "568:568"}
	var out log
	if err := podman.Run(t.Context(), o, &out); err != nil {
		t.Error(err)
	}
	if want := "user 568 568 [0"; !strings.HasPrefix(out.String(), want) || !strings.Contains(out.String(), "write /mosquitto/data true") {
		t.Errorf("no %q, or no data folder, in\n%s", want, out.String())
	}
	o.Image = "localhost/absent:latest"
	if err := podman.Run(t.Context(), o, io.Discard); err == nil {
		t.Error("an absent image ran")
	}
}

func TestStart(t *testing.T) {
	e := podmantest.New(t)
	e.Setenv(t)
	o := podman.Options{Image: e.EchoImage(t, "1883"), Name: "broker", User: "30123", Ports: []podman.Port{{Host: need.Port(t), Container: 1883}}}
	id, err := podman.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, o.Ports[0].Host); got != "1883" {
		t.Errorf("the port answers %q", got)
	}
	if want := e.Podman(t, "ps", "--quiet", "--no-trunc"); id != want {
		t.Errorf("the ID is %q, want %q", id, want)
	}
	o.Name, o.Ports, o.Image = "other", nil, "localhost/absent:latest"
	if _, err := podman.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("an absent image: %v", err)
	}
}

func TestNoPodman(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := podman.Check(t.Context(), podman.Options{Image: "x", Name: "x", User: "1"})
	if want := "apt-get install podman"; !strings.Contains(fault.HintOf(err), want) {
		t.Errorf("the error is %v with hint %q, want %q", err, fault.HintOf(err), want)
	}
}

func TestCheckUser(t *testing.T) {
	for user, ok := range map[string]bool{
		"0": true, "2147483647": true, "568:568": true,
		"": false, ":": false, "1:": false, ":1": false, "2147483648": false, "-1": false, "nobody": false, "1:2:3": false,
	} {
		if err := podman.CheckUser(user); (err == nil) != ok {
			t.Errorf("user %q: %v", user, err)
		}
	}
}

func TestRandomUID(t *testing.T) {
	for _, tc := range []struct {
		random string
		root   bool
		want   string
	}{
		{"\x00\x00\x00\x42", true, "1000660000"},
		{"\xff\xff\xff\xff", true, "1672950000"},
		{"\x00\x00\x00\x00", false, "20000"},
		{"\xff\xff\xff\xff", false, "27295"},
	} {
		got, err := podman.RandomUID(strings.NewReader(tc.random), tc.root)
		if err != nil || got != tc.want || podman.CheckUser(got) != nil {
			t.Errorf("%q, %v: %q, %v, want %q", tc.random, tc.root, got, err, tc.want)
		}
	}
	if _, err := podman.RandomUID(strings.NewReader(""), true); !errors.Is(err, io.EOF) {
		t.Errorf("without randomness: %v", err)
	}
}

// ask returns what a port answers, waiting until it does.
func ask(t *testing.T, port int) string {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", net.JoinHostPort(podman.Loopback, fmt.Sprint(port)))
		if err != nil {
			continue
		}
		answer, _ := io.ReadAll(conn)
		conn.Close()
		if len(answer) > 0 {
			return string(answer)
		}
	}
	return ""
}
