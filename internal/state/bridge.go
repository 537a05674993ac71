package state

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Names below the state folder, of the certificates between the brokers of a
// pair.
const (
	bridgeDir  = "bridge"
	serverName = "server"
	clientName = "client"
	agentName  = "agent"
)

// Deployed returns the credentials that a deployment of cfg is rendered with:
// those of Secrets, with the bridge's under the profile ha, and without
// certificates that the cluster makes itself.
func (d Dir) Deployed(cfg config.Config, base string) (files.Secrets, error) {
	var s files.Secrets
	err := d.locked(func() error {
		err := d.logins(cfg, &s)
		if cfg.HasTLS() && !cfg.TLS.InCluster() {
			err = errors.Join(err, d.certificates(cfg, base, &s))
		}
		if cfg.Deploy.Profile == config.ProfileHA {
			err = errors.Join(err, d.guard(&s), d.bridge(cfg, &s.Bridge))
		}
		return err
	})
	return s, err
}

// bridge reads the certificates between the brokers, makes them where there
// are none, and checks that the brokers will accept them.
func (d Dir) bridge(cfg config.Config, b *files.Bridge) error {
	err := d.readBridge(b)
	if err == nil && b.CA == nil && b.Server.Cert == nil && b.Client.Cert == nil {
		if _, err = d.makeBridge(CertsRequest{Name: cfg.Name, KeyType: certs.KeyType(cfg.TLS.KeyType)}); err == nil {
			err = d.readBridge(b)
		}
	}
	if err != nil {
		return err
	}
	if err = d.checkBridge(cfg.Name, b); err == nil {
		return nil
	}
	// A name or profile given by a flag isn't known to certs init.
	return fault.Hint(fmt.Errorf("checking the bridge's certificates in %q: %w", filepath.Join(d.Path, bridgeDir), err), "remove that folder, and the next render makes them anew; or run: mosqbuild certs init --force")
}

// checkBridge tells whether brokers and agents will accept each other.
func (d Dir) checkBridge(name string, b *files.Bridge) error {
	now := d.now()
	if b.Agent.Cert == nil {
		return errors.New("there is none for the agents")
	}
	errs := []error{
		certs.Check(b.CA, b.Server, now), certs.CheckClient(b.CA, b.Client, config.BridgeUser, now),
		certs.Check(b.CA, b.Agent, now), certs.CheckClient(b.CA, b.Agent, agentHost(name), now),
	}
	for _, c := range []struct {
		whose string
		cert  []byte
		hosts []string
	}{{"the primary's", b.Server.Cert, bridgeHosts(name)}, {"the agents'", b.Agent.Cert, []string{agentHost(name)}}} {
		missing, err := certs.MissingHosts(c.cert, c.hosts)
		if len(missing) > 0 {
			err = fmt.Errorf("%s lacks %s", c.whose, strings.Join(missing, ", "))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// bridgeHosts are the names of the primary to the secondary's bridge, which
// connects to its own guard, and so to the loopback address.
func bridgeHosts(name string) []string {
	primary := config.Config{Name: name}.Broker(config.RolePrimary)
	return []string{primary, config.Agent{Name: name}.Guards(config.RolePrimary), "localhost", "127.0.0.1"}
}

// agentHost is the name in the agents' certificate.
func agentHost(name string) string { return config.Agent{Name: name}.ServerName() }

func (d Dir) readBridge(b *files.Bridge) (err error) {
	for name, to := range map[string]*[]byte{
		config.CAFile:        &b.CA,
		serverName + certExt: &b.Server.Cert, serverName + keyExt: &b.Server.Key,
		clientName + certExt: &b.Client.Cert, clientName + keyExt: &b.Client.Key,
		agentName + certExt: &b.Agent.Cert, agentName + keyExt: &b.Agent.Key,
	} {
		if *to, err = d.read(bridgeDir, name); err != nil {
			return fmt.Errorf("reading the bridge's certificates: %w", err)
		}
	}
	return nil
}

const certExt, keyExt = ".crt", ".key"

// makeBridge makes the certificates between the brokers of the pair of r's name,
// of which the primary is host to the other one, and of its agents, and returns
// the paths written. Their authority, which signs nothing else, stays the one that
// there is, unless r asks for a new one: while a renewal is rolled out, brokers and
// agents of before and of after talk to each other.
func (d Dir) makeBridge(r CertsRequest) ([]string, error) {
	begin, key := d.now().Add(-backdate), r.KeyType
	hosts := bridgeHosts(r.Name)
	ca, err := d.bridgeCA(r, begin)
	if err != nil {
		return nil, err
	}
	server, err := certs.Issue(ca, certs.LeafRequest{Hosts: hosts, KeyType: key, NotBefore: begin})
	if err != nil {
		return nil, err
	}
	agent, err := certs.Issue(ca, certs.LeafRequest{Hosts: []string{agentHost(r.Name)}, KeyType: key, NotBefore: begin, Client: true})
	if err != nil {
		return nil, err
	}
	client, err := certs.IssueClient(ca, certs.ClientRequest{Name: config.BridgeUser, KeyType: key, NotBefore: begin})
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, f := range []struct {
		name string
		data []byte
	}{
		{caKeyFile, ca.Key}, {config.CAFile, ca.Cert},
		{serverName + keyExt, server.Key}, {serverName + certExt, server.Cert},
		{clientName + keyExt, client.Key}, {clientName + certExt, client.Cert},
		{agentName + keyExt, agent.Key}, {agentName + certExt, agent.Cert},
	} {
		if err := d.write(f.data, bridgeDir, f.name); err != nil {
			return paths, err
		}
		paths = append(paths, filepath.Join(d.Path, bridgeDir, f.name))
	}
	return paths, nil
}

// bridgeCA returns the authority of a pair's certificates, a new one where r wants
// it or there is none whose key is here.
func (d Dir) bridgeCA(r CertsRequest, begin time.Time) (certs.Pair, error) {
	var ca certs.Pair
	for name, to := range map[string]*[]byte{config.CAFile: &ca.Cert, caKeyFile: &ca.Key} {
		var err error
		if *to, err = d.read(bridgeDir, name); err != nil {
			return ca, fmt.Errorf("reading the bridge's authority: %w", err)
		}
	}
	if ca.Cert != nil && ca.Key != nil && !r.NewCA {
		return ca, nil
	}
	return certs.NewCA(certs.CARequest{Name: bridgeHosts(r.Name)[0] + " bridge CA", KeyType: r.KeyType, NotBefore: begin})
}
