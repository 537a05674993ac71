package complaint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestAbout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := New(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		})))
		refused, cut := errors.New("refused"), errors.New("cut")
		if l.About("asking", nil) || !l.About("asking", refused) || !l.About("asking", refused) {
			t.Error("what went wrong is told wrongly")
		}
		l.About("reading", cut) // another subject
		l.About("ending", fmt.Errorf("asking: %w", context.Canceled))
		l.About("asking", cut) // too soon after the other error
		time.Sleep(every)
		l.About("asking", cut)
		for range 20 { // between right and wrong, many times a second
			l.About("asking", nil)
			l.About("asking", refused)
		}
		time.Sleep(every)
		l.About("asking", refused)
		want := `level=WARN msg=asking ok=false error=refused
level=WARN msg=reading ok=false error=cut
level=WARN msg=asking ok=false error=cut
level=INFO msg=asking ok=true
level=WARN msg=asking ok=false error=refused
`
		if got := out.String(); got != want {
			t.Errorf("logged:\n%swanted:\n%s", got, want)
		}
	})
}
