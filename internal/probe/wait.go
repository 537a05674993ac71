package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// waitPause is the time between two tries of Wait: short against a broker's
// start, of which nobody should see more than they must.
const waitPause = 10 * time.Millisecond

// Wait returns once the listeners that o names answer CONNECT, whatever the
// answer: that a port accepts connections isn't enough, for a forwarder may
// accept them before the broker runs. It sends no login and checks no
// certificate. Where ctx is done first, the error is the last try's.
func Wait(ctx context.Context, o Options) error {
	o = o.withDefaults()
	for _, l := range listeners(o) {
		var last error
		for {
			err := answers(ctx, l, o.Timeout)
			if err == nil {
				break
			}
			// A try that ctx cut short says less than the one before it.
			if last == nil || ctx.Err() == nil {
				last = err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("waiting for the broker at %s: %w", l.address, last)
			case <-time.After(waitPause):
			}
		}
	}
	return nil
}

// answers tries once.
func answers(ctx context.Context, l listener, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.address)
	if err != nil {
		return err
	}
	if l.tls {
		// Nothing is sent that a stranger shouldn't see.
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return err
		}
		conn = secure
	}
	c, err := connect3(ctx, conn, login{})
	if err == nil {
		c.close()
		return nil
	}
	if refusal := (*refusedError)(nil); errors.As(err, &refusal) {
		return nil
	}
	return err
}
