package peer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Identity is an agent's certificate, its key and the authority that both sides
// trust. All agents of a deployment share one name, so that name is what either
// side wants to see, whatever address the other one has. Its methods may be
// called from several goroutines.
type Identity struct {
	dir, name string

	mu      sync.Mutex
	stamp   stamp
	current *tls.Config
}

// LoadIdentity reads ca.crt, tls.crt and tls.key in dir. They are read again,
// when they have changed, for the next connection; files that don't fit
// together, as while a mounted Secret is being replaced, change nothing. name
// is the one that every agent's certificate carries.
func LoadIdentity(dir, name string) (*Identity, error) {
	i := &Identity{dir: dir, name: name}
	if err := i.load(i.stat()); err != nil {
		return nil, fault.Hint(fmt.Errorf("reading the agents' certificates in %q: %w", dir, err),
			"is the Secret of the agents mounted there, with %s, %s and %s?", config.CAFile, config.CertFile, config.KeyFile)
	}
	return i, nil
}

// Server returns the settings of a listener that lets in agents alone.
func (i *Identity) Server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return i.config(), nil },
	}
}

// Client returns the settings of one connection to another agent.
func (i *Identity) Client() *tls.Config { return i.config() }

// stamp tells versions of the three files apart.
type stamp [3]struct {
	at   time.Time
	size int64
}

func (i *Identity) stat() stamp {
	var s stamp
	for n, file := range []string{config.CAFile, config.CertFile, config.KeyFile} {
		if info, err := os.Stat(filepath.Join(i.dir, file)); err == nil {
			s[n].at, s[n].size = info.ModTime(), info.Size()
		}
	}
	return s
}

// config is the present one, after a look at whether the files have changed.
func (i *Identity) config() *tls.Config {
	now := i.stat()
	i.mu.Lock()
	defer i.mu.Unlock()
	if now != i.stamp {
		// What doesn't fit together yet will at the next connection.
		_ = i.load(now)
	}
	return i.current.Clone()
}

// load reads the files, whose stamp was taken before.
func (i *Identity) load(s stamp) error {
	ca, err := os.ReadFile(filepath.Join(i.dir, config.CAFile))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return errors.New("the authority's file has no certificate")
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(i.dir, config.CertFile), filepath.Join(i.dir, config.KeyFile))
	if err != nil {
		return err
	}
	i.stamp = s
	i.current = &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		RootCAs: pool, ServerName: i.name,
		ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, VerifyConnection: i.verify,
	}
	return nil
}

// verify has a client's certificate carry the name too: the chain was checked.
func (i *Identity) verify(c tls.ConnectionState) error {
	if len(c.PeerCertificates) == 0 {
		return errors.New("the other side has no certificate")
	}
	return c.PeerCertificates[0].VerifyHostname(i.name)
}
