package lively

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// userTimeout is after how long the kernel gives up a connection on which what
// was sent isn't acknowledged, in milliseconds.
const userTimeout = 10_000

// Set sets up a connection, also one within TLS, and has the kernel give it up
// after 10 s without an acknowledgement. Options that a kernel or a kind of
// connection lacks make it slower only.
func Set(conn net.Conn) {
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
		steady(fd)
	})
}

// Control is for net.Dialer, so that the handshake is sent again steadily, too. It
// never fails. Connections that are accepted don't inherit it: Set them.
func Control(_, _ string, c syscall.RawConn) error {
	_ = c.Control(steady)
	return nil
}

func steady(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS, 1)
}
