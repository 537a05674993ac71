package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	var twenty []time.Duration
	for i := range 20 {
		twenty = append(twenty, time.Duration(i+1))
	}
	for percent, want := range map[int]time.Duration{50: 10, 95: 19, 100: 20} {
		if got := quantile(twenty, percent); got != want {
			t.Errorf("%d %%: %d, not %d", percent, got, want)
		}
	}
	if got := quantile([]time.Duration{7}, 50); got != 7 {
		t.Errorf("of one: %d", got)
	}
}

// Each thing that must not be fails the verdict, by name; and a missed target
// does, in the profile full.
func TestVerdict(t *testing.T) {
	slow := figures{outage: [2]time.Duration{time.Second, 3 * time.Second}}
	for name, test := range map[string]struct {
		row  row
		want string
	}{
		"good":             {row{fault{name: "f", median: 4 * time.Second, most: 4 * time.Second}, []figures{slow}}, ""},
		"slow":             {row{fault{name: "f", median: 2 * time.Second, most: 4 * time.Second}, []figures{slow}}, "median outage of 3.00 s, above 2.00 s"},
		"two brokers":      {row{fault{name: "f"}, []figures{{both: []string{"two brokers: a"}}}}, "two brokers: a"},
		"retained":         {row{fault{name: "f"}, []figures{{retained: []string{"retained: a"}}}}, "retained: a"},
		"strays":           {row{fault{name: "f"}, []figures{{strays: []string{"a at b"}}}}, "served by the standby: a at b"},
		"never again":      {row{fault{name: "f"}, []figures{{fault: "not ready"}}}, "not ready"},
		"one too many":     {row{fault{name: "f"}, []figures{{needless: 1}}}, "1 needless"},
		"one that may":     {row{fault{name: "f", spare: 1}, []figures{{needless: 1}, {}}}, ""},
		"one too few":      {row{fault{name: "f", least: 1}, []figures{{switches: 1}, {missing: 1}}}, "1 switches that had to be weren't"},
		"lost":             {row{fault{name: "f", lossless: true}, []figures{{lost: 3, away: 2}}}, "1 acknowledged messages lost"},
		"lost, being away": {row{fault{name: "f", lossless: true}, []figures{{lost: 2, away: 2}}}, ""},
		"lost, as may be":  {row{fault{name: "f"}, []figures{{lost: 3}}}, ""},
		"gone, as may be":  {row{fault{name: "f", forgets: "power"}, []figures{{gone: 3}}}, ""},
		"two that mayn't":  {row{fault{name: "f", spare: 1}, []figures{{needless: 1}, {needless: 1}}}, "2 needless"},
	} {
		p := program{say: func(string, ...any) {}, began: time.Now(), rows: []row{test.row}}
		got, passed := p.verdict(nil)
		if passed != (test.want == "") || !strings.Contains(got, test.want) || passed == strings.HasPrefix(got, "chaos: FAIL") {
			t.Errorf("%s: %v, %q", name, passed, got)
		}
	}
	p := program{began: time.Now(), rows: []row{{fault{name: "f", median: time.Second, most: time.Second}, []figures{slow}}}}
	p.profile = "short"
	if got, passed := p.verdict(nil); !passed {
		t.Errorf("short: %q", got)
	}
	p.rows[0].most = 500 * time.Millisecond
	if got, passed := p.verdict(nil); passed || !strings.Contains(got, "longest outage of 3.00 s") {
		t.Errorf("short, and slow: %q", got)
	}
	p.rows = []row{{fault: fault{name: "f"}}}
	if got, passed := p.verdict(nil); passed || !strings.Contains(got, "nothing was measured") {
		t.Errorf("without a run: %q", got)
	}
	if got, passed := p.verdict(io.ErrUnexpectedEOF); passed || !strings.Contains(got, "EOF") {
		t.Errorf("with an error: %q", got)
	}
}

// Each row of a table has as many cells as its head.
func TestTables(t *testing.T) {
	ours := []row{{faults[0], []figures{{acked: 3, lost: 1, away: 1, stale: 4, gone: 5, retained: []string{"a"}}, {switches: 2, needless: 1, missing: 1}}}}
	ours[0].forgets = "power"
	loop := []row{{faults[0], []figures{{outage: [2]time.Duration{loopCap, loopCap}}}}, {faults[1], []figures{{}}}}
	var text strings.Builder
	printRows(&text, ours)
	text.WriteString("\n")
	printDuel(&text, ours, loop)
	cells := 0
	for line := range strings.Lines(text.String()) {
		n := strings.Count(line, "|")
		if n == 0 {
			cells = 0
			continue
		}
		if cells == 0 {
			cells = n
		}
		if n != cells {
			t.Errorf("%d cells, not %d: %s", n-1, cells-1, line)
		}
	}
	for _, want := range []string{"> 120 / 0.00", "1 (1)", "| 2 (1, 1) |", "| 4 / 1 (5) |", "gone after \"broker killed (kill -9)\": power."} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("there is no %q in\n%s", want, &text)
		}
	}
}

func TestInsert(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doc.md")
	if err := os.WriteFile(file, []byte("before\n<!-- t:begin -->\nold\n<!-- t:end -->\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := insert(file, "t", "new\n"); err != nil {
			t.Fatal(err)
		}
	}
	data, _ := os.ReadFile(file)
	if want := "before\n<!-- t:begin -->\n\nnew\n\n<!-- t:end -->\nafter\n"; string(data) != want {
		t.Errorf("%q, not %q", data, want)
	}
	if err := os.WriteFile(file, []byte("nothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	if insert(file, "t", "new") == nil {
		t.Error("without markers it is written somewhere")
	}
}

// A whole table that takes longer than its profile may fails the verdict; a part of
// it, or one of a length that was asked for, takes what it takes.
func TestLimit(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		took   time.Duration
		passes bool
	}{
		"full":             {nil, 99 * time.Minute, true},
		"full, too long":   {nil, 101 * time.Minute, false},
		"short":            {[]string{"--profile", "short"}, 4 * time.Minute, true},
		"short, late":      {[]string{"--profile", "short"}, 6 * time.Minute, true},
		"short, too long":  {[]string{"--profile", "short"}, 9 * time.Minute, false},
		"as long as asked": {[]string{"--duration", "2h"}, 3 * time.Hour, true},
		"a part":           {[]string{"--only", "kill"}, 2 * time.Hour, true},
		"as often":         {[]string{"--runs", "100"}, 2 * time.Hour, true},
	} {
		o, err := parse(test.args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		p := program{options: o, began: time.Now(), up: time.Now().Add(-test.took), rows: []row{{fault{name: "f"}, []figures{{}}}}}
		if got, passed := p.verdict(nil); passed != test.passes || !passed && !strings.Contains(got, "it took "+test.took.String()) {
			t.Errorf("%s: %v, %q", name, passed, got)
		}
	}
}

// The faults of the profile short are all there, and each that is to be
// measured has ten runs in full.
func TestFaults(t *testing.T) {
	for _, f := range faults {
		if f.full < 10 || f.short > f.full || f.inflict == nil || (f.median == 0) != (f.most == 0) || f.least > f.switches {
			t.Errorf("%+v", f)
		}
	}
}
