package agent

import (
	"crypto/sha256"
	"testing"
)

// set is a retained set from topics and values, in turn.
func set(pairs ...string) sums {
	s := sums{}
	for n := 0; n < len(pairs); n += 2 {
		s[pairs[n]] = sha256.Sum256([]byte(pairs[n+1]))
	}
	return s
}

func TestComparison(t *testing.T) {
	for name, c := range map[string]struct {
		active, own []sums
		open        int
	}{
		"equal":                       {[]sums{set("a", "1")}, []sums{set("a", "1")}, 0},
		"both empty":                  {[]sums{set()}, []sums{set()}, 0},
		"missing":                     {[]sums{set("a", "1", "b", "1")}, []sums{set("a", "1")}, 1},
		"arrived":                     {[]sums{set("a", "1"), set("a", "1")}, []sums{set(), set("a", "1")}, 0},
		"an older one arrived":        {[]sums{set("a", "1"), set("a", "2")}, []sums{set(), set("a", "1")}, 0},
		"one that was never there":    {[]sums{set("a", "1"), set("a", "2")}, []sums{set("a", "9"), set("a", "9")}, 1},
		"deleted there, and not here": {[]sums{set(), set()}, []sums{set("a", "1"), set("a", "1")}, 1},
		"deleted everywhere":          {[]sums{set(), set()}, []sums{set("a", "1"), set()}, 0},
		"set between both looks":      {[]sums{set(), set("a", "1")}, []sums{set("a", "1"), set("a", "1")}, 0},
		"deleted while on its way":    {[]sums{set("a", "1"), set()}, []sums{set(), set()}, 0},
		"gone again by themselves": {
			[]sums{set("a", "1", "b", "1"), set("b", "2"), set("a", "2")}, []sums{set(), set(), set()}, 2,
		},
		"gone at once, but nothing came": {
			[]sums{set("a", "1", "b", "1", "c", "1"), set("c", "1")}, []sums{set("c", "1"), set("c", "1")}, 2,
		},
		"gone at once, and something came": {
			[]sums{set("a", "1", "b", "1"), set("b", "1")}, []sums{set(), set("b", "1")}, 0,
		},
		"new since the first look": {[]sums{set("a", "1"), set("a", "1", "n", "1")}, []sums{set(), set("a", "1")}, 0},
	} {
		var cmp comparison
		open := -1
		for n := range c.active {
			open = cmp.look(c.active[n], c.own[n])
		}
		if open != c.open {
			t.Errorf("%s: %d open, want %d", name, open, c.open)
		}
	}
}
