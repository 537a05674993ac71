package agent

import (
	"crypto/sha256"
	"testing"
)

// set is a retained set from topics and values, in turn.
func set(pairs ...string) Sums {
	s := Sums{}
	for n := 0; n < len(pairs); n += 2 {
		s[pairs[n]] = sha256.Sum256([]byte(pairs[n+1]))
	}
	return s
}

func TestComparison(t *testing.T) {
	for name, c := range map[string]struct {
		active, own []Sums
		open        int
	}{
		"equal":                       {[]Sums{set("a", "1")}, []Sums{set("a", "1")}, 0},
		"both empty":                  {[]Sums{set()}, []Sums{set()}, 0},
		"missing":                     {[]Sums{set("a", "1", "b", "1")}, []Sums{set("a", "1")}, 1},
		"arrived":                     {[]Sums{set("a", "1"), set("a", "1")}, []Sums{set(), set("a", "1")}, 0},
		"an older one arrived":        {[]Sums{set("a", "1"), set("a", "2")}, []Sums{set(), set("a", "1")}, 0},
		"one that was never there":    {[]Sums{set("a", "1"), set("a", "2")}, []Sums{set("a", "9"), set("a", "9")}, 1},
		"deleted there, and not here": {[]Sums{set(), set()}, []Sums{set("a", "1"), set("a", "1")}, 1},
		"deleted everywhere":          {[]Sums{set(), set()}, []Sums{set("a", "1"), set()}, 0},
		"set between both looks":      {[]Sums{set(), set("a", "1")}, []Sums{set("a", "1"), set("a", "1")}, 0},
		"deleted while on its way":    {[]Sums{set("a", "1"), set()}, []Sums{set(), set()}, 0},
		"gone again by themselves": {
			[]Sums{set("a", "1", "b", "1"), set("b", "2"), set("a", "2")}, []Sums{set(), set(), set()}, 2,
		},
		"gone at once, but nothing came": {
			[]Sums{set("a", "1", "b", "1", "c", "1"), set("c", "1")}, []Sums{set("c", "1"), set("c", "1")}, 2,
		},
		"gone at once, and something came": {
			[]Sums{set("a", "1", "b", "1"), set("b", "1")}, []Sums{set(), set("b", "1")}, 0,
		},
		"new since the first look": {[]Sums{set("a", "1"), set("a", "1", "n", "1")}, []Sums{set(), set("a", "1")}, 0},
	} {
		var cmp Comparison
		open := -1
		for n := range c.active {
			open = cmp.Look(c.active[n], c.own[n])
		}
		if open != c.open {
			t.Errorf("%s: %d open, want %d", name, open, c.open)
		}
	}
}
