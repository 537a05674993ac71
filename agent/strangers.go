package agent

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
)

// strayTime is for how long after a switch clients may be led to the broker that
// was replaced, by a node that hasn't heard of it.
const strayTime = 30 * time.Second

// strayed tells whether clients are connected to a standby that served a moment
// ago. They would stay, and what they write would be changed in two places.
func (g *Guard) strayed(ctx context.Context) bool {
	g.mu.Lock()
	r, since := g.ledger.Record(), g.now()-g.ledger.Since()
	g.mu.Unlock()
	if r == nil || r.Last == nil || r.Last.From != g.o.Role || since > strayTime {
		return false
	}
	controllers, err := g.o.Network.Dialer.Addresses(ctx, g.o.Settings.Controllers())
	if err != nil {
		return false // nobody can be told from them
	}
	var table []socket
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		table = append(table, sockets(string(data))...)
	}
	return strangers(table, controllers) > 0
}

// socket is a line of /proc/net/tcp, proc_net_tcp(5).
type socket struct {
	port   int // local
	remote netip.Addr
	state  string
}

// The states that matter, as the kernel writes them.
const (
	stateEstablished = "01"
	stateListen      = "0A"
)

// sockets reads the kernel's table of TCP connections.
func sockets(table string) (all []socket) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		_, port, _ := strings.Cut(f[1], ":")
		number, err := strconv.ParseUint(port, 16, 16)
		if err != nil {
			continue // the heading
		}
		text, _, _ := strings.Cut(f[2], ":")
		words, err := hex.DecodeString(text)
		if err != nil {
			continue
		}
		for i := 0; i+4 <= len(words); i += 4 { // each in the machine's order
			binary.BigEndian.PutUint32(words[i:], binary.NativeEndian.Uint32(words[i:]))
		}
		remote, _ := netip.AddrFromSlice(words)
		all = append(all, socket{int(number), remote.Unmap(), f[3]})
	}
	return all
}

// strangers counts who is connected to the broker's listeners and is neither of
// this pod nor known.
func strangers(table []socket, known []string) int {
	listening := map[int]bool{}
	for _, s := range table {
		if s.state == stateListen && !slices.Contains([]int{config.PortGuard, config.PortHealth, config.PortBridge, config.PortBridgeGate}, s.port) {
			listening[s.port] = true
		}
	}
	n := 0
	for _, s := range table {
		if s.state == stateEstablished && listening[s.port] && !s.remote.IsLoopback() && !slices.Contains(known, s.remote.String()) {
			n++
		}
	}
	return n
}
