// Package complaint logs errors that come again and again.
package complaint

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// every is how long a subject isn't logged anew after it was, whatever comes:
// errors may come many times a second, each with another port in its text.
const every = 10 * time.Second

// Log logs what goes wrong on each of several subjects: the first error, another
// one in its place, and the end of them. Use New. Its methods may be called from
// several goroutines.
type Log struct {
	log      *slog.Logger
	mu       sync.Mutex
	subjects map[string]*subject
}

// subject is what is said to be wrong of one, "" for nothing, and since when.
type subject struct {
	text string
	at   time.Time
}

// New returns a Log that writes to log.
func New(log *slog.Logger) *Log {
	return &Log{log: log, subjects: map[string]*subject{}}
}

// About takes note of how it went this time, and tells whether it went wrong. What
// was called off (context.Canceled) isn't logged.
func (l *Log) About(what string, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.subjects[what]
	if s == nil {
		s = &subject{}
		l.subjects[what] = s
	}
	now := time.Now()
	switch {
	case err == nil && s.text != "":
		s.text = ""
		l.log.Info(what, "ok", true)
	case err == nil, errors.Is(err, context.Canceled):
	case err.Error() != s.text && now.Sub(s.at) >= every:
		s.text, s.at = err.Error(), now
		l.log.Warn(what, "ok", false, "error", s.text)
	}
	return err != nil
}
