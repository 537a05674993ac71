package agent

import (
	"net"
	"os"
	"testing"
)

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000   568        0 1
   1: 00000000:22BA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   568        0 2
   2: 0302F40A:075B 0101F40A:C001 01 00000000:00000000 00:00000000 00000000   568        0 3
   3: 0302F40A:075B 0503F40A:C002 01 00000000:00000000 00:00000000 00000000   568        0 4
   4: 0100007F:075B 0100007F:C003 01 00000000:00000000 00:00000000 00000000   568        0 5
   5: 0302F40A:075B 0901F40A:C004 06 00000000:00000000 00:00000000 00000000   568        0 6
   6: 0302F40A:22BA 0901F40A:C005 01 00000000:00000000 00:00000000 00000000   568        0 7
   7: 0302F40A:C006 0901F40A:075B 01 00000000:00000000 00:00000000 00000000   568        0 8
`

// Of all connections one is a client's: the others are a controller's, this
// pod's own, one that has ended, one to the guard, and one that goes out.
func TestStrangers(t *testing.T) {
	if n := strangers(sockets(table), []string{"10.244.1.1"}); n != 1 {
		t.Errorf("%d strangers", n)
	}
	if n := strangers(sockets(table), []string{"10.244.1.1", "10.244.3.5"}); n != 0 {
		t.Errorf("%d strangers, and all are known", n)
	}
}

// The kernel's own table is read as it is.
func TestSockets(t *testing.T) {
	for file, address := range map[string]string{"/proc/net/tcp": "127.0.0.1:0", "/proc/net/tcp6": "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Skipf("skipped: listening at %s: %v", address, err)
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		port, states := l.Addr().(*net.TCPAddr).Port, map[string]bool{}
		for _, s := range sockets(string(data)) {
			if s.port == port {
				states[s.state] = true
				if s.state == stateEstablished && !s.remote.IsLoopback() {
					t.Errorf("%s has the remote address %s", file, s.remote)
				}
			}
		}
		if !states[stateListen] || !states[stateEstablished] {
			t.Errorf("%s has port %d in the states %v", file, port, states)
		}
	}
}
