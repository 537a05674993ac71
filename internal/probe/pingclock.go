package probe

import "time"

// pingClock keeps a Pinger's times. It stands still while the process is held
// up: a questioner that is late itself can't blame the one it asks.
type pingClock struct {
	interval time.Duration
	// due is when the next question is; zero before the first.
	due time.Time
	// lost is how long the clock stood still.
	lost time.Duration
	// answered is when the last question that was answered was asked, by this
	// clock; at first, when it began.
	answered time.Time
	sequence uint64
	open     []question
}

// question is one that was asked, by the clock.
type question struct {
	sequence uint64
	asked    time.Time
}

// maxOpen bounds the questions that may still be answered: at 250 ms, those of
// the last minute.
const maxOpen = 240

func (c *pingClock) begin(now time.Time) { c.due, c.answered = now, now }

// at is the clock's time when it is now.
func (c *pingClock) at(now time.Time) time.Time { return now.Add(-c.lost - c.late(now)) }

// late is for how long the clock has stood still since the question was due.
func (c *pingClock) late(now time.Time) time.Duration {
	if late := now.Sub(c.due); late > c.interval {
		return late
	}
	return 0
}

// tick says that the question that was due is asked now.
func (c *pingClock) tick(now time.Time) {
	c.lost += c.late(now)
	c.due = now.Add(c.interval)
}

// question returns the next one, asked now.
func (c *pingClock) question(now time.Time) question {
	c.sequence++
	q := question{c.sequence, c.at(now)}
	if len(c.open) == maxOpen {
		c.open = c.open[1:]
	}
	c.open = append(c.open, q)
	return q
}

// answer takes the answer to a question: fresh is whether it is the first one
// to that or a later one.
func (c *pingClock) answer(sequence uint64) (asked time.Time, fresh bool) {
	for i, q := range c.open {
		if q.sequence == sequence {
			c.answered, c.open = q.asked, c.open[i+1:]
			return q.asked, true
		}
	}
	return time.Time{}, false
}

func (c *pingClock) silence(now time.Time) time.Duration {
	if c.due.IsZero() {
		return 0
	}
	return max(0, c.at(now).Sub(c.answered))
}
