package files_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/need"
)

// link is the network between two brokers, which can be cut.
type link struct {
	port, to int
	mu       sync.Mutex
	listener net.Listener
	open     []net.Conn
}

func newLink(t *testing.T, to int) *link {
	l := &link{port: need.Port(t), to: to}
	l.mend(t)
	t.Cleanup(l.cut)
	return l
}

// mend lets connections through.
func (l *link) mend(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", l.port))
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.listener = listener
	l.mu.Unlock()
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.to))
			if err != nil {
				from.Close()
				continue
			}
			l.mu.Lock()
			l.open = append(l.open, from, to)
			l.mu.Unlock()
			go func() { io.Copy(to, from); to.Close() }()
			go func() { io.Copy(from, to); from.Close() }()
		}
	}()
}

// cut ends every connection and lets no new one through.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener.Close()
	for _, c := range l.open {
		c.Close()
	}
	l.open = nil
}
