package agent

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// TestBridgeGoesOnAfterCuts has the secondary serve, whose bridge outlives every
// link. More messages are cut off than a bridge may have on their way at once (20):
// one that was taken in and left waiting would take them for sent, and send no more
// in the end. So it must be refused while it can't be linked.
func TestBridgeGoesOnAfterCuts(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.write(func(r *record.Record) { r.Active = secondary })
	p.start(primary, secondary)
	run := p.synced(primary).Run
	serving := p.status(secondary).Run
	for round := range 3 {
		p.bridge.cut(true)
		p.until(secondary, "the cut", patient, func(s record.Status) bool { return !s.Linked })
		p.publishLines(secondary, "while/cut", 12)
		p.refuses(1500 * time.Millisecond) // the bridge tries each second
		p.bridge.cut(false)
		s, _ := p.until(primary, "another run", patient, func(s record.Status) bool { return s.Run != run && s.Linked && s.Synced })
		run = s.Run
		topic := fmt.Sprint("round/", round)
		p.publish(secondary, topic, "1")
		for end := time.Now().Add(patient); ; time.Sleep(tick) {
			if _, ok := p.retained(primary)[topic]; ok {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("after %d cuts, nothing crosses the bridge", round+1)
			}
		}
	}
	if s := p.status(secondary); s.Run != serving {
		t.Errorf("the active broker began anew: %+v", s)
	}
}

// publishLines publishes n messages that aren't retained, with QoS 1.
func (p *pair) publishLines(role, topic string, n int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), "mosquitto_pub", "-h", "127.0.0.1", "-p", fmt.Sprint(p.sides[role].port), "-q", "1", "-t", topic, "-l")
	cmd.Stdin = strings.NewReader(strings.Repeat("x\n", n))
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("publishing: %v: %s", err, out)
	}
}

// refuses checks that nobody listens at the gate for most of a time: a way to the
// primary that is cut as soon as it is there is noticed after a moment only.
func (p *pair) refuses(d time.Duration) {
	p.t.Helper()
	tries, refused := 0, 0
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", p.sides[secondary].network.Gate)
		tries++
		switch {
		case err == nil:
			c.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			refused++
		default:
			p.t.Fatal(err)
		}
	}
	if refused < tries/2 {
		p.t.Errorf("the gate takes a bridge that may not be linked: %d of %d tries were refused", refused, tries)
	}
}
