package agent

import "crypto/sha256"

// sums are retained sets: a hash of each value, by topic. The zero hash is that
// of a topic that has none.
type sums = map[string][sha256.Size]byte

// comparison finds out, in several looks at two sets that change all the while,
// whether the standby has had all that the active broker had retained when the
// link came up. What changes afterwards comes over the link.
//
// Only the topics that differ in the first look matter, and each until the
// standby's value is one that the active broker has, or had in an earlier look:
// then the link has brought it there, and will bring what follows. To have no
// value is a value as well: so what was deleted at the active broker has to
// go from the standby too.
type comparison struct {
	begun bool
	seen  map[string]map[[sha256.Size]byte]bool // topic → values that the active one had
}

// look takes both sets, the active broker's from before the standby's, and
// returns the number of topics that are still open.
func (c *comparison) look(active, own sums) int {
	if !c.begun {
		c.begun, c.seen = true, map[string]map[[sha256.Size]byte]bool{}
		for topic, hash := range active {
			if own[topic] != hash {
				c.seen[topic] = map[[sha256.Size]byte]bool{}
			}
		}
		for topic := range own {
			if _, ok := active[topic]; !ok {
				c.seen[topic] = map[[sha256.Size]byte]bool{}
			}
		}
	}
	for topic, values := range c.seen {
		values[active[topic]] = true
		if values[own[topic]] {
			delete(c.seen, topic)
		}
	}
	return len(c.seen)
}

// extra is how many of the open topics the active broker doesn't have.
func (c *comparison) extra() int {
	n := 0
	for _, values := range c.seen {
		if len(values) == 1 && values[[sha256.Size]byte{}] {
			n++
		}
	}
	return n
}
