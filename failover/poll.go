package failover

import (
	"context"
	"fmt"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/record"
)

// answer is what came of one question to a guard.
type answer struct {
	status record.Status
	sent   time.Time
	err    error
}

// poll keeps asking a guard for its status. The guard answers when something
// has changed, and after half an interval otherwise, so that it is heard of
// more often than that. One that doesn't answer is asked again at each
// interval, while the questions before are still open: one of them may be
// stuck on the way, or have gone to a pod that is no more.
func (c *Controller) poll(ctx context.Context, role string) {
	p := c.settings.Failover.Probe
	every := p.Interval.Std()
	wait := every / 2
	answers := make(chan answer)
	open := 0
	defer func() {
		for ; open > 0; open-- {
			<-answers
		}
	}()
	var after int64
	var boot string
	var last time.Time
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			last = time.Now()
			open++
			go func(after int64, sent time.Time) { answers <- c.ask(ctx, role, after, wait, sent) }(after, last)
			next.Reset(every)
		case a := <-answers:
			open--
			if c.errors.About("asking the "+role+"'s guard", a.err) {
				continue // asked again at the interval's end
			}
			c.view.reported(role, a.status, a.sent)
			if a.status.Boot != boot || a.status.Revision > after {
				boot, after = a.status.Boot, a.status.Revision
			}
			if a.sent.Equal(last) { // but no faster than this, whatever the guard does
				next.Reset(every / 25)
			}
		}
	}
}

// ask is one question.
func (c *Controller) ask(ctx context.Context, role string, after int64, wait time.Duration, sent time.Time) answer {
	ctx, cancel := context.WithTimeout(ctx, wait+c.settings.Failover.Probe.Timeout.Std())
	defer cancel()
	st, err := c.ports.Guards[role].Status(ctx, after, wait)
	if err == nil && st.Role != role {
		err = fmt.Errorf("asking the %s's guard: the %q's has answered", role, st.Role)
	}
	return answer{st, sent, err}
}
