package cmd

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestInterruptedWhileReading: a command that waits for stdin ends when it is
// told to, and writes nothing.
func TestInterruptedWhileReading(t *testing.T) {
	for _, args := range []string{"passwd set bob --stdin", "passwd import"} {
		ctx, cancel := context.WithCancel(t.Context())
		in, _ := io.Pipe() // nothing ever comes
		var out, errOut bytes.Buffer
		codes := make(chan int, 1)
		file := filepath.Join(t.TempDir(), "passwd")
		go func() { codes <- Main(ctx, append(strings.Fields(args), "--file", file), in, &out, &errOut) }()
		cancel()
		select {
		case code := <-codes:
			if code != 130 || out.Len() > 0 {
				t.Errorf("%s: exit code %d, %q, %q", args, code, out.String(), errOut.String())
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: still waiting", args)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) > 0 {
			t.Errorf("%s: left %q", args, left)
		}
	}
}
