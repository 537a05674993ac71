package need

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The ports that tests use: below those that the kernel gives to connections, so
// that one stays free until the test listens there.
const firstPort, blocks, blockSize = 20000, 128, 99

// given is which ports this process hands out: the rest of a block that no other
// process has, since tests of several packages run at once.
var given struct {
	sync.Mutex
	file      *os.File // its nth byte is locked while a process has the nth block
	untried   []int
	next, end int
}

// Port returns a TCP port at which nobody listens on the loopback address, another
// one at each call, and to no other process of tests while this one runs.
func Port(t testing.TB) int {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	for {
		if given.next == given.end {
			if err := takeBlock(); err != nil {
				t.Fatalf("finding a free port: %v", err)
			}
		}
		port := given.next
		given.next++
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
}

// takeBlock has given go on with another block. Its file is the same for all, whatever
// their TMPDIR.
func takeBlock() (err error) {
	if given.file == nil {
		name := filepath.Join("/tmp", fmt.Sprintf("mosqbuild-ports-%d", os.Getuid()))
		if given.file, err = os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
			return err
		}
		given.untried = rand.Perm(blocks)
	}
	for len(given.untried) > 0 {
		n := given.untried[0]
		given.untried = given.untried[1:]
		// The lock is this file's, not this process's, and goes with it.
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(n), Len: 1}
		err := unix.FcntlFlock(given.file.Fd(), unix.F_OFD_SETLK, &lock)
		if err == nil {
			given.next = firstPort + n*blockSize
			given.end = given.next + blockSize
			return nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			return err
		}
	}
	return errors.New("other tests have them all")
}
