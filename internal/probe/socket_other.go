//go:build !linux

package probe

import "net"

// lively does nothing where the system lacks the options.
func lively(net.Conn) {}
