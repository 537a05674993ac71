package agent

import (
	"bytes"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"testing"
)

// Each metric is in the docs, and nothing else.
func TestMetricsAreDocumented(t *testing.T) {
	g := New(Options{Role: primary, Log: slog.New(slog.DiscardHandler)})
	g.metrics.stopped(downCrashed)
	g.metrics.asked("api", nil)
	var out bytes.Buffer
	g.metrics.set.WritePrometheus(&out)
	docs, err := os.ReadFile("../docs/failover.md")
	must(t, err)
	names := func(text []byte) []string {
		var out []string
		for _, m := range regexp.MustCompile(prefix+`[a-z_]+`).FindAll(text, -1) {
			out = append(out, string(m))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	if has, want := names(docs), names(out.Bytes()); !slices.Equal(has, want) || len(want) < 10 {
		t.Errorf("the docs have %q, a guard %q", has, want)
	}
}
