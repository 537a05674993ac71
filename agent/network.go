package agent

import (
	"net"
	"strconv"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// Network is where a guard listens, and where it finds the other broker's pod.
// All are "host:port".
type Network struct {
	// Guard, over TLS, and Health, plain, are listened at. Gate is too, by the
	// secondary's guard alone.
	Guard, Health, Gate string
	// PeerGuard is the other guard. PeerBridge is the primary's listener for
	// the secondary's bridge.
	PeerGuard, PeerBridge string
	// Identity is shown to other agents, and Dialer finds them.
	Identity *peer.Identity
	Dialer   *peer.Dialer
}

// ClusterNetwork is the network of role's guard in a cluster.
func ClusterNetwork(a config.Agent, role string, id *peer.Identity) Network {
	at := func(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	other := record.Other(role)
	n := Network{
		Guard: at("", config.PortGuard), Health: at("", config.PortHealth),
		PeerGuard: at(a.Guards(other), config.PortGuard),
		Identity:  id, Dialer: &peer.Dialer{},
	}
	if role == config.RoleSecondary {
		n.Gate = at("127.0.0.1", config.PortBridgeGate)
		n.PeerBridge = at(a.Guards(other), config.PortBridge)
	}
	return n
}
