package files_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// listen returns what a client gets from now on, for it has subscribed: "TOPIC MESSAGE"
// each. It listens until the test ends.
func (b *broker) listen(t *testing.T, topic string, more ...string) <-chan string {
	t.Helper()
	args := append([]string{"-oL", "mosquitto_sub", "-d", "-p", fmt.Sprint(b.port), "-t", topic, "-F", "=%t %p"}, strings.Fields(login)...)
	c := exec.CommandContext(t.Context(), "stdbuf", append(args, more...)...) // each line at once
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	heard, subscribed, ended := make(chan string, 1000), make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(subscribed) })
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "Subscribed") {
				once()
			} else if message, ok := strings.CutPrefix(lines.Text(), "="); ok {
				select {
				case heard <- message:
				default: // nobody wants as many
				}
			}
		}
	}()
	t.Cleanup(func() {
		<-ended
		_ = c.Wait() // it was killed
	})
	select {
	case <-subscribed:
	case <-ended:
		t.Fatalf("listening to %s: it ended", topic)
	case <-time.After(time.Minute):
		t.Fatalf("listening to %s: it doesn't subscribe", topic)
	}
	return heard
}

// upTo returns what was heard up to last.
func upTo(t *testing.T, heard <-chan string, last string) (got []string) {
	t.Helper()
	for end := time.After(time.Minute); ; {
		select {
		case message := <-heard:
			if got = append(got, message); message == last {
				return got
			}
		case <-end:
			t.Fatalf("%q hasn't come, but %q", last, got)
		}
	}
}
