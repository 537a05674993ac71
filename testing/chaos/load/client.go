package load

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// client keeps a connection up.
type client struct {
	name  string
	login Login
	sink  *sink
	topic string // to subscribe to
	qos   byte
	// up is called with each new connection, and got with each packet of it,
	// from one goroutine.
	up  func(*conn)
	got func(*conn, packet) error

	mu   sync.Mutex
	conn *conn
	n    int
}

// run connects, and again, until ctx ends.
func (c *client) run(ctx context.Context) {
	last := ""
	for ctx.Err() == nil {
		conn, err := dial(ctx, c.login, c.name, c.topic, c.qos)
		if err != nil {
			if ctx.Err() == nil && err.Error() != last {
				last = err.Error()
				c.sink.emit(Event{Kind: Refused, Client: c.name, Error: last})
			}
			pause(ctx, retryAfter)
			continue
		}
		last = ""
		c.serve(ctx, conn)
		pause(ctx, retryAfter)
	}
}

// serve sees one connection through.
func (c *client) serve(ctx context.Context, conn *conn) {
	stop := context.AfterFunc(ctx, conn.bye)
	defer stop()
	c.mu.Lock()
	c.n++
	n := c.n
	c.mu.Unlock()
	c.sink.emit(Event{Kind: Up, Client: c.name, Conn: n})
	go c.whereTo(conn, n)
	if c.up != nil {
		c.up(conn)
	}
	c.set(conn)
	err := conn.read(func(p packet) error { return c.got(conn, p) })
	c.set(nil)
	_ = conn.Close()
	c.sink.emit(Event{Kind: Down, Client: c.name, Conn: n, Error: err.Error()})
}

func (c *client) set(conn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
}

// current is the connection, or nil, and its number.
func (c *client) current() (*conn, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn, c.n
}

// whereTo says which pod the Service has led a connection to, as the kernel
// has it.
func (c *client) whereTo(conn *conn, n int) {
	local, remote := conn.LocalAddr().(*net.TCPAddr), conn.RemoteAddr().(*net.TCPAddr)
	out, _ := exec.Command("conntrack", "--dump", "--proto", "tcp", "--state", "ESTABLISHED",
		"--sport", strconv.Itoa(local.Port), "--dst", remote.IP.String()).Output()
	if pod := podOf(string(out)); pod != "" {
		c.sink.emit(Event{Kind: Pod, Client: c.name, Conn: n, Address: pod})
	}
}

// podOf reads the source of answers from a line of conntrack's:
//
//	tcp 6 86399 ESTABLISHED src=… dst=… sport=… dport=… src=POD dst=… …
func podOf(line string) string {
	_, answers, _ := strings.Cut(line, " src=")
	_, answers, ok := strings.Cut(answers, " src=")
	if !ok {
		return ""
	}
	pod, _, _ := strings.Cut(answers, " ")
	return pod
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// number reads a payload.
func number(payload string) int {
	n, _ := strconv.Atoi(payload)
	return n
}

// interval is the time from message to message.
const interval = time.Second / 20

// pace calls next at each interval while the client is connected, until ctx is done.
func (c *client) pace(ctx context.Context, next func(*conn)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if conn, _ := c.current(); conn != nil {
			next(conn)
		}
	}
}
