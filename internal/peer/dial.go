package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/internal/lively"
)

// lookupAge is how long looked-up addresses are good for: a pod that has gone
// leaves the name within a second or so.
const lookupAge = time.Second

// lookupTimeout bounds a look-up, which nobody waits for who knows addresses.
const lookupTimeout = 5 * time.Second

// dialTimeout bounds a connection's making: whoever asked for it may be long
// gone, and another may have been asked for meanwhile.
const dialTimeout = 2 * time.Second

// Dialer connects to whoever answers first of a name's addresses: of a lost
// node's pod the address stays for minutes. While the name service is away, the
// addresses known last do. Its zero value is ready; its methods may be called
// from several goroutines.
type Dialer struct {
	// Lookup finds a name's addresses. Default: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]string, error)

	mu    sync.Mutex
	names map[string]*name
}

// name is what is known of one.
type name struct {
	addresses []string
	at        time.Time
	err       error
	busy      chan struct{} // closed when the look-up under way has ended
}

// Dial connects to address, "host:port", by TCP.
func (d *Dialer) Dial(ctx context.Context, address string) (net.Conn, error) {
	return d.DialWith(ctx, address, func(_ context.Context, c net.Conn) (net.Conn, error) { return c, nil })
}

// DialWith is Dial with a handshake that is part of the race: who accepts
// connections and then says nothing doesn't win. Handshake closes a connection
// that it returns an error for.
func (d *Dialer) DialWith(ctx context.Context, address string, handshake func(context.Context, net.Conn) (net.Conn, error)) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("connecting to %q: %w", address, err)
	}
	addresses, err := d.Addresses(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("connecting to %q: %w", address, err)
	}
	conn, err := race(ctx, addresses, func(ctx context.Context, a string) (net.Conn, error) {
		c, err := (&net.Dialer{KeepAliveConfig: keepAlive, Control: lively.Control}).DialContext(ctx, "tcp", net.JoinHostPort(a, port))
		if err != nil {
			return nil, err
		}
		return handshake(ctx, c)
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to %q: %w", address, err)
	}
	return conn, nil
}

// keepAlive notices a peer that has vanished, on a connection that is waiting.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 2}

// race returns the first connection there is, and closes the others.
func race(ctx context.Context, addresses []string, dial func(context.Context, string) (net.Conn, error)) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	results := make(chan result)
	for _, a := range addresses {
		go func() {
			c, err := dial(ctx, a)
			results <- result{c, err}
		}()
	}
	var errs []error
	for n := range addresses {
		r := <-results
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		cancel()
		go func() {
			for range len(addresses) - n - 1 {
				if late := <-results; late.err == nil {
					late.conn.Close()
				}
			}
		}()
		return r.conn, nil
	}
	cancel()
	return nil, errors.Join(errs...)
}

// Addresses returns those of host, as far as they are known: it waits for the
// look-up only where none are.
func (d *Dialer) Addresses(ctx context.Context, host string) ([]string, error) {
	if net.ParseIP(host) != nil {
		return []string{host}, nil
	}
	d.mu.Lock()
	if d.names == nil {
		d.names = map[string]*name{}
	}
	n := d.names[host]
	if n == nil {
		n = &name{}
		d.names[host] = n
	}
	if n.busy == nil && time.Since(n.at) > lookupAge {
		n.busy = make(chan struct{})
		go d.lookup(context.WithoutCancel(ctx), host, n)
	}
	known, busy := n.addresses, n.busy
	d.mu.Unlock()
	if busy != nil {
		// Fresh addresses are worth a moment: the pod may have moved.
		patience := time.NewTimer(20 * time.Millisecond)
		defer patience.Stop()
		var enough <-chan time.Time
		if len(known) > 0 {
			enough = patience.C
		}
		select {
		case <-busy:
		case <-enough:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(n.addresses) == 0 {
		return nil, n.err
	}
	return n.addresses, nil
}

// lookup asks for host's addresses and keeps them; after an error or an empty
// answer, those known before stay.
func (d *Dialer) lookup(ctx context.Context, host string, n *name) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	find := d.Lookup
	if find == nil {
		find = net.DefaultResolver.LookupHost
	}
	found, err := find(ctx, host)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("looking up %q: it has no address", host)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n.at, n.err = time.Now(), err
	if err == nil {
		slices.Sort(found)
		n.addresses = slices.Compact(found)
	}
	close(n.busy)
	n.busy = nil
}
