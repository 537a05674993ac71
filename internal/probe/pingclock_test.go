package probe

import (
	"testing"
	"time"
)

// TestPingClock runs through what happens at which millisecond; a clock asks
// every 100.
func TestPingClock(t *testing.T) {
	type step struct {
		at int
		do string // "ask", "answer": of the question n, "": nothing
		n  uint64
		// silent is the silence after it.
		silent int
	}
	for name, steps := range map[string][]step{
		"answered at once": {{0, "ask", 0, 0}, {1, "answer", 1, 1}, {100, "ask", 0, 100}, {102, "answer", 2, 2}, {150, "", 0, 50}},
		"never answered":   {{0, "ask", 0, 0}, {100, "ask", 0, 100}, {200, "ask", 0, 200}, {299, "", 0, 299}},
		"a late answer counts from its question": {
			{0, "ask", 0, 0}, {100, "ask", 0, 100}, {200, "ask", 0, 200}, {250, "answer", 2, 150},
		},
		"an older answer changes nothing": {
			{0, "ask", 0, 0}, {100, "ask", 0, 100}, {110, "answer", 2, 10}, {120, "answer", 1, 20}, {130, "answer", 2, 30},
		},
		"foreign":              {{0, "ask", 0, 0}, {50, "answer", 7, 50}},
		"a little late counts": {{0, "ask", 0, 0}, {190, "", 0, 190}, {195, "ask", 0, 195}},
		// Held up from 20 until 5000, while a question was due at 100.
		"held up":                 {{0, "ask", 0, 0}, {5000, "", 0, 100}, {5001, "ask", 0, 100}, {5050, "", 0, 149}, {5101, "ask", 0, 200}},
		"held up, then answered":  {{0, "ask", 0, 0}, {5000, "ask", 0, 100}, {5010, "answer", 1, 110}, {5020, "answer", 2, 20}},
		"held up while unserved":  {{0, "ask", 0, 0}, {100, "ask", 0, 100}, {200, "ask", 0, 200}, {4300, "ask", 0, 300}, {4400, "ask", 0, 400}},
		"held up twice in a row":  {{0, "ask", 0, 0}, {1100, "ask", 0, 100}, {2200, "ask", 0, 200}},
		"the answer has no pause": {{0, "ask", 0, 0}, {1100, "answer", 1, 100}, {1101, "ask", 0, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			c := pingClock{interval: 100 * time.Millisecond}
			if s := c.silence(start); s != 0 {
				t.Errorf("before it began: %v", s)
			}
			c.begin(start)
			for i, s := range steps {
				now := start.Add(time.Duration(s.at) * time.Millisecond)
				switch s.do {
				case "ask":
					c.tick(now)
					c.question(now)
				case "answer":
					c.answer(s.n)
				}
				if got := c.silence(now); got != time.Duration(s.silent)*time.Millisecond {
					t.Errorf("step %d, at %d ms: silent for %v, want %d ms", i, s.at, got, s.silent)
				}
			}
		})
	}
}

func TestPingClockForgets(t *testing.T) {
	c := pingClock{interval: time.Second}
	now := time.Now()
	c.begin(now)
	for range 3 * maxOpen {
		now = now.Add(time.Second)
		c.tick(now)
		c.question(now)
	}
	if len(c.open) != maxOpen {
		t.Errorf("%d questions are kept, want %d", len(c.open), maxOpen)
	}
	if _, fresh := c.answer(1); fresh {
		t.Error("the first question is still open")
	}
	if _, fresh := c.answer(3 * maxOpen); !fresh || c.silence(now) != 0 {
		t.Errorf("the last question isn't open; silent for %v", c.silence(now))
	}
}
