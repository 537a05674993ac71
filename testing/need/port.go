package need

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// The ports that tests use: below those that the kernel gives to connections, so
// that one stays free until the test listens there.
const firstPort, lastPort = 20000, 32767

// given are the ports that this process has handed out.
var given sync.Map

// Port returns a TCP port at which nobody listens on the loopback address, another
// one at each call.
func Port(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		if _, taken := given.LoadOrStore(port, true); !taken {
			return port
		}
	}
	t.Fatal("finding a free port: there is none")
	return 0
}
