package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"
)

// dial connects to the group's listener; over TLS it checks the broker's
// certificate against the CA and the name that the options give.
func (g *group) dial(ctx context.Context) (net.Conn, error) {
	if !g.listener.tls {
		return (&net.Dialer{}).DialContext(ctx, "tcp", g.listener.address)
	}
	roots, err := g.roots()
	if err != nil {
		return nil, err
	}
	return g.dialTLS(ctx, roots)
}

func (g *group) dialTLS(ctx context.Context, roots *x509.CertPool) (*tls.Conn, error) {
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: g.o.ServerName}}
	conn, err := d.DialContext(ctx, "tcp", g.listener.address)
	if err != nil {
		return nil, err
	}
	return conn.(*tls.Conn), nil
}

// roots returns the trusted certificates; nil stands for the system's.
func (g *group) roots() (*x509.CertPool, error) {
	if len(g.o.CA) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(g.o.CA) {
		return nil, errors.New("the CA file holds no certificate in PEM")
	}
	return pool, nil
}

// tlsGroup fills g with the checks of the handshake alone.
func tlsGroup(g *group) {
	g.protocol = "TLS"
	g.steps = []step{
		{name: "certificate", run: g.certificate},
		{name: "untrusted CA refused", after: "certificate", run: g.untrusted},
	}
}

// certificate checks that the certificate descends from the CA, is in date and
// carries the name; it finds the TLS version and the day the certificate ends.
func (g *group) certificate(ctx context.Context) (string, error) {
	roots, err := g.roots()
	if err != nil {
		return "", err
	}
	conn, err := g.dialTLS(ctx, roots)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	state := conn.ConnectionState()
	return fmt.Sprintf("%s, %s, until %s", tls.VersionName(state.Version), g.o.ServerName,
		state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)), nil
}

// untrusted checks that a client which doesn't know the CA turns away: that
// the broker's certificate hangs on that CA, and on nothing in the client.
func (g *group) untrusted(ctx context.Context) (string, error) {
	conn, err := g.dialTLS(ctx, x509.NewCertPool())
	if err == nil {
		conn.Close()
		return "", verdict("a client that trusts no CA took the certificate")
	}
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		return "unknown authority", nil
	}
	return "", err
}
