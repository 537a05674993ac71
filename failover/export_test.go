package failover

import (
	"context"
	"net"

	"github.com/mosqbuild/mosqbuild/config"
)

// GuardsAt is Guards at another port.
func (a Agents) GuardsAt(settings config.Agent, port string) map[string]Guard {
	guards := map[string]Guard{}
	for role, g := range a.Guards(settings) {
		r := g.(remoteGuard)
		host, _, _ := net.SplitHostPort(r.address)
		r.address = net.JoinHostPort(host, port)
		guards[role] = r
	}
	return guards
}

// Secure is secure.
func (l Login) Secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	return l.secure(ctx, conn)
}
