package agent

import "crypto/sha256"

// Sums are retained sets: a hash of each value, by topic. The zero hash is that
// of a topic that has none.
type Sums = map[string][sha256.Size]byte

// Comparison finds out, in several looks at two sets that change all the while,
// whether the standby has had all that the active broker had retained when the
// link came up. What changes afterwards comes over the link.
//
// Only the topics that differ in the first look matter. One is done with once
// the standby's value is one that the active broker has, or had in an earlier
// look: then the link has brought it there, and will bring what follows. That
// neither has any is no such proof, for topics that are set and deleted again
// and again come to that by themselves: it holds while it lasts.
type Comparison struct {
	begun bool
	seen  map[string]*topic
	// flows says that something has come over the link.
	flows bool
}

// topic is one that differed.
type topic struct {
	values map[[sha256.Size]byte]bool // that the active broker had
	// gone counts the looks since the active broker last had none; without says
	// that the standby has none either.
	gone    int
	without bool
}

// Look takes both sets, the active broker's from before the standby's, and
// returns the number of topics that are still open.
func (c *Comparison) Look(active, own Sums) int {
	if !c.begun {
		c.begun, c.seen = true, map[string]*topic{}
		for name, hash := range active {
			if own[name] != hash {
				c.seen[name] = &topic{values: map[[sha256.Size]byte]bool{}}
			}
		}
		for name := range own {
			if _, ok := active[name]; !ok {
				c.seen[name] = &topic{values: map[[sha256.Size]byte]bool{}}
			}
		}
	}
	var none [sha256.Size]byte
	open, without := 0, 0
	for name, t := range c.seen {
		t.gone++
		if active[name] == none {
			t.gone = 0
		}
		t.values[active[name]] = true
		have := own[name]
		t.without = have == none && t.gone <= 1 // the link may lag behind by a look
		switch {
		case have != none && t.values[have]:
			c.flows = true
			delete(c.seen, name)
		case t.without:
			without++
		default:
			open++
		}
	}
	if open == 0 && without > 0 && !c.flows && len(active) > 0 {
		return without // they may all be gone by chance
	}
	return open
}

// extra is how many of the open topics the active broker doesn't have.
func (c *Comparison) extra() int {
	n := 0
	for _, t := range c.seen {
		if t.gone == 0 && !t.without {
			n++
		}
	}
	return n
}
