package agentcmd

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestLinesNeverWait(t *testing.T) {
	r, w, err := os.Pipe() // nobody reads: it is full after 64 KiB
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	l := newLines(w)
	begin := time.Now()
	for range 3 * queued {
		if n, err := l.Write(bytes.Repeat([]byte("x"), 1000)); n != 1000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if l.Close(); time.Since(begin) > time.Second+lastLines {
		t.Errorf("it took %s", time.Since(begin))
	}
}

func TestLinesAreWritten(t *testing.T) {
	var b strings.Builder
	l := newLines(&b)
	want := ""
	for n := range 100 {
		line := fmt.Sprintf("line %d\n", n)
		want += line
		fmt.Fprint(l, line)
	}
	if l.Close(); b.String() != want {
		t.Errorf("got %q", b.String())
	}
	fmt.Fprint(l, "late") // and nothing happens
}
