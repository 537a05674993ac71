package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMedians(t *testing.T) {
	var all []sample
	for _, ms := range []time.Duration{900, 3, 1, 2, 4} { // an outlier, as on a busy machine
		all = append(all, sample{wall: ms * time.Millisecond, cpu: 10 * ms * time.Millisecond})
	}
	if got, want := medians(all).String(), "3.0 ms (CPU 30.0 ms)"; got != want {
		t.Errorf("medians are %s, want %s", got, want)
	}
}

func TestDuelTakesTurnsAfterAWarmUp(t *testing.T) {
	var order strings.Builder
	contender := func(name string, first time.Duration) contender {
		took := first
		return func(context.Context) (sample, error) {
			order.WriteString(name)
			s := sample{wall: took}
			took = time.Millisecond
			return s, nil
		}
	}
	a, b, err := (&workspace{}).duel(t.Context(), 2, contender("a", time.Hour), contender("b", time.Hour))
	if err != nil || order.String() != "ababab" || a.wall != time.Millisecond || b.wall != time.Millisecond {
		t.Errorf("%s: %v, %v, %v", order.String(), a, b, err)
	}
}

func rows() []row {
	return []row{
		{job{name: "a", target: 0.5}, result{ours: "1 ms", peer: "4 ms", ratio: 0.25, reached: 0.25}},
		{job{name: "b", target: 0.5}, result{ours: "3 ms", peer: "4 ms", ratio: 0.75, reached: 0.75, note: "a remark"}},
		{job{name: "c", target: 2.5, unit: "MB"}, result{ours: "2 MB", peer: "4 MB", ratio: 0.5, reached: 2}},
		{job{name: "d", target: 0.5}, result{note: "left out: no peer"}},
		{job{name: "e"}, result{ours: "9 ms", peer: "1 ms", ratio: 9, reached: 9}},
	}
}

func TestTable(t *testing.T) {
	for format, want := range map[string]string{
		"text": `job; peer  ours  peer  ratio  to reach  
a          1 ms  4 ms  0.25   ≤ 0.5     reached
b          3 ms  4 ms  0.75   ≤ 0.5     MISSED
c          2 MB  4 MB  0.50   ≤ 2.5 MB  reached
d                             ≤ 0.5     left out: no peer
e          9 ms  1 ms  9.00             

b: a remark.
`,
		"markdown": `| job; peer | ours | peer | ratio | to reach |  |
|---|---|---|---|---|---|
| a | 1 ms | 4 ms | 0.25 | ≤ 0.5 | reached |
| b | 3 ms | 4 ms | 0.75 | ≤ 0.5 | MISSED |
| c | 2 MB | 4 MB | 0.50 | ≤ 2.5 MB | reached |
| d |  |  |  | ≤ 0.5 | left out: no peer |
| e | 9 ms | 1 ms | 9.00 |  |  |

b: a remark.
`,
	} {
		var b strings.Builder
		if err := writeTable(&b, format, rows()); err != nil || b.String() != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", format, err, b.String(), want)
		}
	}
}

func TestOnlyAMissedTargetFailsTheCheck(t *testing.T) {
	all := rows()
	if !anyMissed(all) || anyMissed(append(all[:1:1], all[2:]...)) {
		t.Error("row b, and no other one, missed its target")
	}
}

func TestJobThatCantRunIsLeftOut(t *testing.T) {
	w := &workspace{progress: io.Discard}
	broken := errors.New("broken")
	for _, tt := range []struct{ err, want error }{{leftOut("no peer"), nil}, {broken, broken}} {
		got, err := measure(t.Context(), w, []job{{name: "a", run: func(context.Context, *workspace) (result, error) { return result{}, tt.err }}})
		if !errors.Is(err, tt.want) || err == nil && got[0].note != "left out: no peer" {
			t.Errorf("%v: %v, %v", tt.err, got, err)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	for _, args := range [][]string{{"--format", "xml"}, {"--pairs", "0"}, {"surplus"}, {"--only", "no such job"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q passed", args)
		}
	}
}

func TestLogin(t *testing.T) {
	for _, tt := range []struct {
		ack string
		ok  bool
	}{{"\x20\x02\x00\x00", true}, {"\x20\x02\x00\x05", false}, {"\x20\x02", false}} {
		client, broker := net.Pipe()
		got := make(chan string, 1)
		go func() {
			defer broker.Close()
			packet := make([]byte, 29)
			n, _ := io.ReadFull(broker, packet)
			got <- string(packet[:n])
			_, _ = io.WriteString(broker, tt.ack)
		}()
		err := login(client, time.Now().Add(10*time.Second), "admin", []byte("secret"))
		if (err == nil) != tt.ok {
			t.Errorf("CONNACK % x: %v", tt.ack, err)
		}
		if want := "\x10\x1b\x00\x04MQTT\x04\xc2\x00\x3c\x00\x00\x00\x05admin\x00\x06secret"; <-got != want {
			t.Errorf("CONNECT isn't % x", want)
		}
	}
}

func TestUnpackLayer(t *testing.T) {
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o770},
		{Typeflag: tar.TypeReg, Name: "d/f", Mode: 0o640, Size: 1},
		{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "d/f"},
	} {
		if err := tw.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := tw.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unpackLayer(&b, dir); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "l"))
	if err != nil || string(data) != "x" {
		t.Errorf("content %q, %v", data, err)
	}
	for name, want := range map[string]os.FileMode{"d": 0o770, "d/f": 0o640} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %o", name, st, err, want)
		}
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("PATH", tmp) // no go
	if err := run(t.Context(), nil, io.Discard, io.Discard); err == nil {
		t.Error("it ran without a compiler")
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
