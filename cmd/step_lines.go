package cmd

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/mosqbuild/mosqbuild/packages/source"
)

// stepLines prints a line a step that has ended. On a terminal the last line
// tells what runs, and since when.
type stepLines struct {
	a     *app
	width int // of the terminal; 0 is none
	ended chan struct{}
	gone  sync.WaitGroup

	mu      sync.Mutex
	running []runningStep
}

type runningStep struct {
	name  string
	start time.Time
}

func newStepLines(a *app) *stepLines {
	l := &stepLines{a: a, ended: make(chan struct{})}
	if f := a.barTerminal(); f != nil {
		if l.width, _, _ = term.GetSize(int(f.Fd())); l.width <= 0 {
			l.width = 80
		}
		l.gone.Go(l.live)
	}
	return l
}

// live repaints the last line until stop.
func (l *stepLines) live() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-l.ended:
			return
		case <-tick.C:
		}
		l.mu.Lock()
		l.paint()
		l.mu.Unlock()
	}
}

// paint draws the last line anew. The lock must be held.
func (l *stepLines) paint() {
	if l.width == 0 {
		return
	}
	var parts []string
	for _, r := range l.running {
		parts = append(parts, fmt.Sprintf("%s %.1f s", r.name, time.Since(r.start).Seconds()))
	}
	line := strings.Join(parts, ", ")
	if line != "" {
		line = "mosqbuild: running: " + line
	}
	fmt.Fprintf(l.a.Err, "\r\033[K%.*s", l.width-1, line)
}

// event takes note of what has become of a step.
func (l *stepLines) event(e source.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.State == source.Started {
		l.running = append(l.running, runningStep{e.Step, time.Now()})
		l.paint()
		return
	}
	l.running = slices.DeleteFunc(l.running, func(r runningStep) bool { return r.name == e.Step })
	if l.width > 0 {
		fmt.Fprint(l.a.Err, "\r\033[K")
	}
	switch e.State {
	case source.Waiting:
		l.a.progress("waiting for another build in the same folder")
	case source.Cached: // counted in the end
	case source.Done:
		l.a.progress("%-24s %6.1f s", e.Step, e.Elapsed.Seconds())
	case source.Failed:
		l.a.progress("%-24s %6.1f s, not finished", e.Step, e.Elapsed.Seconds())
	}
	l.paint()
}

// stop removes the last line.
func (l *stepLines) stop() {
	close(l.ended)
	l.gone.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = nil
	l.paint()
}
