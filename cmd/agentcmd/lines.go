package agentcmd

import (
	"io"
	"time"
)

// lines writes lines to another writer without ever waiting for it: an agent whose
// log nobody takes, as while a node's disk hangs, must still lead, or see its permit run
// out. What there is no room for is lost. It may be used from several goroutines.
type lines struct {
	queue chan []byte
	done  chan struct{}
}

// queued is how many lines may wait.
const queued = 1024

// lastLines is how long close waits for those.
const lastLines = 200 * time.Millisecond

func newLines(to io.Writer) *lines {
	l := &lines{queue: make(chan []byte, queued), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for line := range l.queue {
			if line == nil {
				return
			}
			_, _ = to.Write(line) // there is nowhere else to say so
		}
	}()
	return l
}

// Write queues a copy of line. It always succeeds.
func (l *lines) Write(line []byte) (int, error) {
	select {
	case l.queue <- append([]byte{}, line...):
	default:
	}
	return len(line), nil
}

// Close writes what is queued, as far as that is soon done. What is written
// afterwards is lost.
func (l *lines) Close() error {
	late := time.After(lastLines)
	select {
	case l.queue <- nil:
	case <-late:
		return nil
	}
	select {
	case <-l.done:
	case <-late:
	}
	return nil
}
