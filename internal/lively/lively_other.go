//go:build !linux

package lively

import (
	"net"
	"syscall"
)

// Set does nothing where the system lacks the options.
func Set(net.Conn) {}

// Control does nothing where the system lacks the options.
func Control(_, _ string, _ syscall.RawConn) error { return nil }
