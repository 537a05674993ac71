package agent

import (
	"time"

	"github.com/mosqbuild/mosqbuild/config"
)

// Why a broker is down, as record.Status has it.
const (
	downStarting = "starting"
	downCrashed  = "crashed"
	downHung     = "hung"
	downFenced   = "fenced"
	downStopped  = "stopped"
	downLeaving  = "leaving"
)

// child is the broker's process, as the guard sees it. While run is "", it has
// ended, and only what is said of that holds.
type child struct {
	run     string
	process process
	began   time.Duration
	empty   bool // the run began with an empty data folder
	served  bool // the record named it active
	linked  bool // it has taken part in a link
	synced  bool

	asked    string        // why it was told to end; "" if it wasn't
	stopping time.Duration // since when it is told to end politely; < 0 not

	pulse Pulse // nil while nobody asks yet

	down      string
	ended     time.Duration
	failures  int           // starts in a row that came to nothing
	notBefore time.Duration // see Broker
}

// fresh tells whether the run may take part in a link.
func (c *child) fresh() bool { return c.run != "" && Fresh(c.empty, c.served, c.linked) }

// hung is Hung for the run, if there is one.
func (c *child) hung(p config.FailoverProbe, now time.Duration) (hung, stuck bool) {
	if c.run == "" {
		return false, false
	}
	silent := time.Duration(-1)
	if c.answered() {
		silent = c.pulse.Silence(time.Now())
	}
	return Hung(p, silent, now-c.began, c.empty)
}

// answered tells whether the broker ever has, in this run.
func (c *child) answered() bool { return c.pulse != nil && c.pulse.State().Answers > 0 }

// healthy tells whether the broker answers.
func (c *child) healthy(p config.FailoverProbe) bool {
	return c.run != "" && c.answered() && c.pulse.Silence(time.Now()) < p.Silence()
}

// settled is how long a run has to last to count as a success.
const settled = 5 * time.Second

// end takes note of the process's end, and of when to try again.
func (c *child) end(now time.Duration) {
	vain := c.asked == "" && now-c.began < settled || c.asked == askedRelink && !c.synced
	if vain {
		c.failures++
		c.notBefore = now + Pause(c.failures)
	} else {
		c.failures, c.notBefore = 0, 0
	}
	c.down = c.asked
	switch c.asked {
	case "":
		c.down = downCrashed
	case askedRelink:
		c.down = downStarting
	}
	c.run, c.process, c.pulse, c.ended = "", nil, nil, now
}

// askedRelink is why a standby is stopped to begin anew.
const askedRelink = "relink"
