package probe

import (
	"net"

	"golang.org/x/sys/unix"
)

// userTimeout is after how long the kernel gives up a connection on which what
// was sent isn't acknowledged, in milliseconds.
const userTimeout = 10_000

// lively sets up a connection on which little is sent, that little at once: a
// lost packet is sent again at a steady pace instead of ever more slowly.
// Options that a kernel or a kind of connection lacks make it slower only.
func lively(conn net.Conn) {
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = wrapped.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	_ = tcp.SetNoDelay(true)
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, userTimeout)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS, 1)
	})
}
