package failover

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/probe"
)

// Login is how a controller asks the brokers.
type Login struct {
	// Voter tells this controller's questions from others', in their topic.
	Voter    string
	Username string
	Password []byte
	// CA is the path of the certificates that a listener's with TLS must
	// descend from. It is read for each connection.
	CA string
}

// ReadLogin reads the login in the file at path, an option file of Mosquitto's
// clients.
func ReadLogin(path, voter, ca string) (Login, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Login{}, fmt.Errorf("reading the probes' login: %w", err)
	}
	user, password, err := probe.ParseLogin(data)
	if err != nil {
		return Login{}, fmt.Errorf("reading the probes' login in %q: %w", path, err)
	}
	return Login{Voter: voter, Username: user, Password: password, CA: ca}, nil
}

// Probers returns what asks both brokers, by role, at whichever of their pods'
// addresses answers.
func Probers(settings config.Agent, l Login, d *peer.Dialer) map[string]Prober {
	probers := map[string]Prober{}
	for _, role := range roles {
		address := net.JoinHostPort(settings.Guards(role), strconv.Itoa(settings.Listener.Port))
		dial := func(ctx context.Context) (net.Conn, error) { return d.Dial(ctx, address) }
		if settings.Listener.TLS {
			dial = func(ctx context.Context) (net.Conn, error) { return d.DialWith(ctx, address, l.secure) }
		}
		probers[role] = probe.NewPinger(probe.PingOptions{
			Dial: dial, Username: l.Username, Password: l.Password, Topic: config.ProbePrefix + "failover/" + l.Voter,
			Interval: settings.Failover.Probe.Interval.Std(), Timeout: settings.Failover.Probe.Timeout.Std(),
		})
	}
	return probers
}

// secure goes through the handshake.
func (l Login) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	ca, err := os.ReadFile(l.CA)
	if err == nil {
		secure := tls.Client(conn, peer.Descended(ca))
		if err = secure.HandshakeContext(ctx); err == nil {
			return secure, nil
		}
	}
	conn.Close()
	return nil, fmt.Errorf("shaking hands: %w", err)
}
