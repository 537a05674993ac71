package lively_test

import (
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/internal/lively"
)

// steady says whether the kernel sends again at a steady pace.
func steady(t *testing.T, c net.Conn) bool {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	on := 0
	if ctl := raw.Control(func(fd uintptr) {
		on, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS)
	}); ctl != nil || err != nil {
		t.Fatal(ctl, err)
	}
	return on == 1
}

// A connection has it where that is asked for, and none else.
func TestControl(t *testing.T) {
	for _, control := range []func(string, string, syscall.RawConn) error{nil, lively.Control} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		near, err := (&net.Dialer{Control: control}).Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		if want := control != nil; steady(t, near) != want || steady(t, far) {
			t.Errorf("near %v, far %v, want %v and not", steady(t, near), steady(t, far), want)
		}
		lively.Set(far)
		if !steady(t, far) {
			t.Error("set, it isn't")
		}
	}
}
