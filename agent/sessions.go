package agent

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/probe"
)

// Loopback are sessions with the broker of this very pod. Logins and the
// authority's certificate are read from their files for each run of the broker.
type Loopback struct {
	// Host is the address. Default: 127.0.0.1.
	Host string
	// Listener is the broker's that takes logins.
	Listener config.Listener
	// Interval and Timeout are those of questions.
	Interval, Timeout time.Duration
	// CA is the path of the certificates that a listener's with TLS must
	// descend from. Its name isn't checked: it needn't have one for loopback.
	CA string
	// Health is the path of the login that asks, and Guard of the one that reads
	// what is retained; "" logs in without one.
	Health, Guard string
}

var _ Sessions = Loopback{}

// Watch asks the broker from when it first accepts connections until ctx ends.
func (l Loopback) Watch(ctx context.Context) (Pulse, error) {
	user, password, err := login(l.Health)
	if err != nil {
		return nil, err
	}
	p := probe.NewPinger(probe.PingOptions{
		Dial: l.dial, Username: user, Password: password, Interval: l.Interval, Timeout: l.Timeout,
		Topic: config.ProbePrefix + "guard/" + rand.Text(),
	})
	go func() {
		if l.accepts(ctx) {
			p.Run(ctx)
		}
	}()
	return p, nil
}

// accepts returns once the broker accepts connections, so that the first question
// doesn't come to nothing and the second an interval later; false if ctx ends.
func (l Loopback) accepts(ctx context.Context) bool {
	for ctx.Err() == nil {
		if c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", l.address()); err == nil {
			c.Close()
			return true
		}
		sleep(ctx, 5*time.Millisecond)
	}
	return false
}

// Retained returns what the broker has retained.
func (l Loopback) Retained(ctx context.Context) (map[string][sha256.Size]byte, error) {
	user, password, err := login(l.Guard)
	if err != nil {
		return nil, err
	}
	return probe.Retained(ctx, probe.RetainedOptions{
		Dial: l.dial, Username: user, Password: password, Marker: config.ProbePrefix + "retained/" + rand.Text(),
	})
}

// login reads a login from the file at path.
func login(path string) (user string, password []byte, err error) {
	if path == "" {
		return "", nil, nil
	}
	data, err := os.ReadFile(path)
	if err == nil {
		user, password, err = probe.ParseLogin(data)
	}
	if err != nil {
		return "", nil, fmt.Errorf("reading the login in %q: %w", path, err)
	}
	return user, password, nil
}

func (l Loopback) address() string {
	host := l.Host
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(l.Listener.Port))
}

// dial connects to the broker, through TLS where the listener has it.
func (l Loopback) dial(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.address())
	if err != nil || !l.Listener.TLS {
		return conn, err
	}
	ca, err := os.ReadFile(l.CA)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("reading the authority's certificate: %w", err)
	}
	secure := tls.Client(conn, peer.Descended(ca))
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
