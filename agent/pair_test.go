package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/peer/peertest"
	"github.com/mosqbuild/mosqbuild/internal/record"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

const (
	primary   = config.RolePrimary
	secondary = config.RoleSecondary
)

// patient is how long a test waits for what must come, on a busy machine, too.
const patient = 30 * time.Second

// fakeAPI has the record, and can be away.
type fakeAPI struct {
	mu   sync.Mutex
	r    *record.Record
	away bool
}

func (a *fakeAPI) Record(ctx context.Context) (*record.Record, error) {
	a.mu.Lock()
	r, away := a.r, a.away
	a.mu.Unlock()
	if away {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if r == nil {
		return nil, nil
	}
	c := *r
	return &c, nil
}

func (a *fakeAPI) set(away bool) {
	a.mu.Lock()
	a.away = away
	a.mu.Unlock()
}

// side is one guard with its broker.
type side struct {
	g       *Guard
	port    int
	conf    string
	host    string // where clients come, at the port of the slot
	network Network
	data    string
	leave   context.CancelFunc
	done    chan error
}

// pair is two guards with their brokers on loopback.
type pair struct {
	t      *testing.T
	api    *fakeAPI
	client *peer.Client
	sides  map[string]*side
	// cut lines between them
	words, bridge *line
}

// settings are the defaults, with times in which a busy machine may hold up all: the
// guards, what they ask, and the test are one process. By the defaults a broker
// that is well would be fenced or hung.
func settings(t *testing.T, name string) config.Agent {
	t.Helper()
	f := config.Default().Failover
	f.Permit.Age = config.Duration(5 * time.Second)
	f.Probe.Strikes = 10
	return config.Agent{Name: name, Replicas: 3, Failover: f}
}

// newPair returns guards that aren't started.
func newPair(t *testing.T) *pair {
	t.Helper()
	need.Program(t, "mosquitto", "mosquitto_pub")
	dir, s := t.TempDir(), settings(t, "pair")
	id, err := peer.LoadIdentity(peertest.Certificates(t, s.ServerName()), s.ServerName())
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{t: t, api: &fakeAPI{}, sides: map[string]*side{}, client: peer.NewClient(id, &peer.Dialer{})}
	var ports [8]int
	for i := range ports {
		ports[i] = need.Port(t)
	}
	at := func(n int) string { return fmt.Sprintf("127.0.0.1:%d", ports[n]) }
	p.bridge = newLine(t, at(6))
	p.words = newLine(t, at(3))
	confs := map[string]string{
		primary: fmt.Sprintf("listener %d 127.0.0.1\nlistener %d 127.0.0.1\n", ports[0], ports[6]),
		secondary: fmt.Sprintf("listener %d 127.0.0.1\nconnection pair\naddress %s\ntopic # both 1\ncleansession true\n"+
			"restart_timeout 1\nkeepalive_interval 5\nnotifications false\n", ports[1], at(7)),
	}
	networks := map[string]Network{
		primary:   {Guard: at(2), Health: at(4), PeerGuard: p.words.address(), Identity: id, Dialer: &peer.Dialer{}},
		secondary: {Guard: at(3), Health: at(5), PeerGuard: at(2), Gate: at(7), PeerBridge: p.bridge.address(), Identity: id, Dialer: &peer.Dialer{}},
	}
	for n, role := range []string{primary, secondary} {
		s := s
		s.Listener, s.Clients = config.Listener{Port: ports[n]}, []config.Listener{{Port: 1883}}
		host := loopback()
		data := filepath.Join(dir, role)
		conf := filepath.Join(dir, role+".conf")
		text := confs[role]
		// Options of the whole broker come before the bridge's.
		text = fmt.Sprintf("user root\nallow_anonymous true\npersistence true\npersistence_location %s/\nmax_queued_messages 0\nlistener 1883 %s\n", data, host) + text
		must(t, os.Mkdir(data, 0o700))
		must(t, os.WriteFile(conf, []byte(text), 0o600))
		p.sides[role] = &side{port: ports[n], conf: conf, host: host, network: networks[role], data: data, g: New(Options{
			Role: role, Settings: s, Network: networks[role], API: p.api, Log: testLog(t), State: filepath.Join(dir, role+".json"),
			Program: Program{Args: []string{mosquitto(), "-c", conf}, Stderr: logFile(t, role), DataDir: data},
			Sessions: Loopback{
				Listener: s.Listener, Interval: s.Failover.Probe.Interval.Std(), Timeout: s.Failover.Probe.Timeout.Std(),
			},
		})}
	}
	return p
}

// hosts counts the addresses that loopback has given out.
var hosts atomic.Int32

// loopback is an address of this machine that no other broker has.
func loopback() string {
	n := os.Getpid()<<8 + int(hosts.Add(1))
	return fmt.Sprintf("127.%d.%d.%d", 1+n>>16%250, n>>8%256, n%256)
}

// accepts tells whether role's broker listens for clients in a slot.
func (p *pair) accepts(role string, slot int) bool {
	s := p.sides[role]
	c, err := net.DialTimeout("tcp", net.JoinHostPort(s.host, fmt.Sprint(config.ClientPort(0, slot))), time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// hold has brokers that have ended held down for d.
func (p *pair) hold(d time.Duration) {
	for _, s := range p.sides {
		s.g.o.Settings.Failover.HoldDown = config.Duration(d)
	}
}

// start starts both guards, and ends them with the test.
func (p *pair) start(roles ...string) {
	for _, role := range roles {
		s := p.sides[role]
		ctx, cancel := context.WithCancel(context.Background())
		s.leave, s.done = cancel, make(chan error, 1)
		go func() { s.done <- s.g.Run(ctx) }()
		p.t.Cleanup(func() {
			cancel()
			for end := time.After(time.Minute); ; {
				s.g.kill("the test ends") // whoever is active would serve on
				select {
				case err := <-s.done:
					if err != nil {
						p.t.Error(err)
					}
					s.done <- nil
					return
				case <-end:
					p.t.Errorf("the guard of the %s doesn't end", role)
					return
				case <-time.After(tick):
				}
			}
		})
	}
}

// write is what a controller does: the record at the API, and pushed to those
// that are named.
func (p *pair) write(change func(*record.Record), push ...string) (statuses map[string]record.Status) {
	p.t.Helper()
	p.api.mu.Lock()
	var r record.Record
	if p.api.r != nil {
		r = *p.api.r
	}
	change(&r)
	r.Epoch++
	r.Leader = "test"
	p.api.r = &r
	p.api.mu.Unlock()
	statuses = map[string]record.Status{}
	for _, role := range push {
		ctx, cancel := context.WithTimeout(p.t.Context(), patient)
		var s record.Status
		if err := p.client.Call(ctx, http.MethodPut, p.sides[role].network.Guard, pathRecord, r, &s); err != nil {
			p.t.Errorf("pushing to the %s: %v", role, err)
		}
		cancel()
		statuses[role] = s
	}
	return statuses
}

func (p *pair) status(role string) record.Status {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patient)
	defer cancel()
	var s record.Status
	if err := p.client.Call(ctx, http.MethodGet, p.sides[role].network.Guard, pathStatus, nil, &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// until waits for a status of role's, and returns it and how long that took.
func (p *pair) until(role, what string, limit time.Duration, ok func(record.Status) bool) (record.Status, time.Duration) {
	p.t.Helper()
	begin := time.Now()
	for after := int64(0); ; {
		ctx, cancel := context.WithTimeout(p.t.Context(), patient)
		var s record.Status
		err := p.client.Call(ctx, http.MethodGet, p.sides[role].network.Guard, fmt.Sprintf("%s?after=%d&wait=200", pathStatus, after), nil, &s)
		cancel()
		if err == nil && ok(s) {
			return s, time.Since(begin)
		}
		if time.Since(begin) > limit {
			p.t.Fatalf("waiting for %s of the %s: it is %+v after %s (%v)", what, role, s, limit, err)
		}
		after = s.Revision
	}
}

// ready brings up both brokers, the primary active, the secondary its standby.
func (p *pair) ready() {
	p.t.Helper()
	p.write(func(r *record.Record) { r.Active = primary })
	p.start(primary, secondary)
	p.synced(secondary)
	p.write(func(r *record.Record) { r.Standby = secondary }, primary, secondary)
	p.write(func(r *record.Record) { r.Ready = true }, primary, secondary)
	// The standby gives its word once it has read from the API that it is one.
	time.Sleep(2 * p.sides[secondary].g.o.Settings.Failover.Probe.Interval.Std())
}

func (p *pair) synced(role string) record.Status {
	p.t.Helper()
	s, _ := p.until(role, "everything", patient, func(s record.Status) bool { return s.Linked && s.Synced })
	return s
}

func (p *pair) publish(role, topic, payload string) {
	p.t.Helper()
	if out, err := p.tryPublish(role, topic, payload); err != nil {
		p.t.Fatalf("publishing: %v: %s", err, out)
	}
}

func (p *pair) tryPublish(role, topic, payload string) (string, error) {
	args := []string{"-h", "127.0.0.1", "-p", fmt.Sprint(p.sides[role].port), "-q", "1", "-r", "-t", topic}
	if payload == "" {
		args = append(args, "-n")
	} else {
		args = append(args, "-m", payload)
	}
	out, err := exec.CommandContext(p.t.Context(), "mosquitto_pub", args...).CombinedOutput()
	return string(out), err
}

func (p *pair) retained(role string) Sums {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patient)
	defer cancel()
	set, err := p.sides[role].g.o.Sessions.Retained(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	return set
}

// broker is role's process.
func (p *pair) broker(role string) *os.Process {
	g := p.sides[role].g
	g.mu.Lock()
	defer g.mu.Unlock()
	process, _ := g.child.process.(*os.Process)
	return process
}

// line passes on connections, until it is cut.
type line struct {
	l     net.Listener
	to    string
	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	x := &line{l: l, to: to}
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			go x.pass(c)
		}
	}()
	t.Cleanup(func() { l.Close(); x.cut(true) })
	return x
}

func (x *line) address() string { return x.l.Addr().String() }

func (x *line) pass(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", x.to)
	if err != nil {
		return
	}
	defer up.Close()
	x.mu.Lock()
	x.conns = append(x.conns, c, up)
	isCut := x.isCut
	x.mu.Unlock()
	if isCut {
		return
	}
	go func() {
		_, _ = io.Copy(up, c)
		up.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(c, up)
}

func (x *line) cut(cut bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.isCut = cut
	for _, c := range x.conns {
		c.Close()
	}
	x.conns = nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mosquitto() string {
	if path, err := exec.LookPath("mosquitto"); err == nil {
		return path
	}
	return "/usr/sbin/mosquitto"
}

// logFile is a file whose lines are shown where the test fails.
func logFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	must(t, err)
	t.Cleanup(func() {
		if data, err := os.ReadFile(f.Name()); err == nil && t.Failed() {
			t.Logf("%s:\n%s", name, data)
		}
		f.Close()
	})
	return f
}

func testLog(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(logFile(t, "guard"), nil))
}
