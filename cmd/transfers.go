package cmd

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

const (
	// barDelay is how long a transfer takes before it gets a bar: what is done
	// sooner would only flicker.
	barDelay = 200 * time.Millisecond
	// linePause is the least between two lines that say how far something is,
	// and before the first one.
	linePause = time.Second
)

// transfers are what goes over the network right now. On a terminal each has a
// bar with bytes and rate, which goes with its end; elsewhere a line now and
// then says how far one of them is.
type transfers struct {
	mu   sync.Mutex
	bars *mpb.Progress // nil while no bar is shown
	open int           // bars
	said time.Time     // when the last line was written
}

// transfer is one of them.
type transfer struct {
	a     *app
	what  string // such as "fetching mosquitto-2.0.22-r0.apk"
	start time.Time
	delay *time.Timer

	// What follows is guarded by the mutex of transfers.
	done, total int64
	bar         *mpb.Bar
	ended       bool
}

// barTerminal returns what bars can be drawn on, nil where that is nothing: not
// with --quiet, nor in CI, whose log keeps every frame.
func (a *app) barTerminal() *os.File {
	f, ok := a.Err.(*os.File)
	if !ok || a.Quiet || os.Getenv("TERM") == "dumb" || os.Getenv("CI") != "" || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// transfer begins to show one; end must be called.
func (a *app) transfer(what string) *transfer {
	t := &transfer{a: a, what: what, start: time.Now()}
	if out := a.barTerminal(); out != nil {
		t.delay = time.AfterFunc(barDelay, func() { t.show(out) })
	}
	return t
}

// show gives the transfer its bar.
func (t *transfer) show(out *os.File) {
	all := t.a.transfers
	all.mu.Lock()
	defer all.mu.Unlock()
	if t.ended {
		return
	}
	if all.bars == nil {
		all.bars = mpb.New(mpb.WithOutput(out))
	}
	all.open++
	// Its total comes later, or else the library takes it for done by itself.
	t.bar = all.bars.AddBar(0,
		mpb.PrependDecorators(
			decor.Name(t.what, decor.WCSyncSpaceR),
			decor.Any(func(s decor.Statistics) string { return amount(s.Current, s.Total) }, decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.NewAverageSpeed(decor.SizeB1000(0), "% .1f", t.start, decor.WCSyncSpace)))
	t.draw()
}

func (t *transfer) draw() {
	t.bar.SetTotal(max(t.total, t.done), false)
	t.bar.SetCurrent(t.done)
}

// at takes note of how far it is, in bytes; a total below done is unknown.
func (t *transfer) at(done, total int64) {
	if t.paint(done, total) {
		t.a.progress("%s: %s", t.what, amount(done, total))
	}
}

// paint brings the bar up to date, and says whether a line is due instead.
func (t *transfer) paint(done, total int64) (line bool) {
	all := t.a.transfers
	all.mu.Lock()
	defer all.mu.Unlock()
	t.done, t.total = done, total
	if t.bar != nil {
		t.draw()
	}
	if t.delay != nil || time.Since(t.start) < linePause || time.Since(all.said) < linePause {
		return false
	}
	all.said = time.Now()
	return true
}

// end takes its bar away. When it returns from the last one, nothing is left
// on the terminal.
func (t *transfer) end() {
	if t.delay == nil {
		return
	}
	t.delay.Stop()
	all := t.a.transfers
	all.mu.Lock()
	defer all.mu.Unlock()
	t.ended = true
	if t.bar == nil {
		return
	}
	t.bar.Abort(true)
	t.bar = nil
	if all.open--; all.open == 0 {
		all.bars.Wait()
		all.bars = nil
	}
}

// write writes a line above the bars.
func (all *transfers) write(out io.Writer, line string) {
	if all != nil {
		all.mu.Lock()
		defer all.mu.Unlock()
		if all.bars != nil {
			out = all.bars
		}
	}
	// Nobody is left to tell where stderr is gone.
	_, _ = io.WriteString(out, line)
}

// amount is how much of total is done, both in bytes.
func amount(done, total int64) string {
	if total < done || total == 0 {
		return fmt.Sprintf("%.1f MB", float64(done)/1e6)
	}
	return fmt.Sprintf("%.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6)
}

// download shows the transfer of a file that body is read from: packages'
// Options.Watch.
func (a *app) download(file string, size int64, body io.Reader) io.ReadCloser {
	return &download{Reader: body, transfer: a.transfer("fetching " + file), size: size}
}

type download struct {
	io.Reader
	*transfer
	size, n int64
}

// Read implements io.Reader.
func (d *download) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	d.n += int64(n)
	d.at(d.n, d.size)
	return n, err
}

// Close ends what is shown of the transfer.
func (d *download) Close() error {
	d.end()
	return nil
}
