package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/shell"
)

// CertsRequest says which certificates MakeCerts makes.
type CertsRequest struct {
	Name    string   // of the deployment; the CA's common name carries it
	Hosts   []string // names and addresses of the server
	KeyType certs.KeyType
	Force   bool // replace a server certificate that is there
	NewCA   bool // with Force: replace the CAs too; clients must then trust the new one
	Bridge  bool // make those between the brokers and agents of a pair called Name, too
}

// backdate is how far a client's clock may lag behind ours.
const backdate = 5 * time.Minute

// ErrCertsExist is returned by MakeCerts where it would have to overwrite.
var ErrCertsExist = errors.New("there is a server certificate already")

// MakeCerts makes a server certificate and, where there is none, the CA that
// signs it, and returns the paths written.
func (d Dir) MakeCerts(r CertsRequest) (paths []string, err error) {
	err = d.locked(func() error {
		if paths, err = d.makeCerts(r); err != nil || !r.Bridge {
			return err
		}
		bridge, err := d.makeBridge(r)
		paths = append(paths, bridge...)
		return err
	})
	return paths, err
}

func (d Dir) makeCerts(r CertsRequest) ([]string, error) {
	old, err := d.readCerts()
	if err != nil {
		return nil, err
	}
	if !r.Force && (old.leaf.Cert != nil || old.leaf.Key != nil) {
		return nil, ErrCertsExist
	}
	ca, madeCA := old.ca, false
	switch {
	case ca.Cert == nil && ca.Key == nil || r.Force && r.NewCA:
		if ca, err = certs.NewCA(certs.CARequest{Name: r.Name + " CA", KeyType: r.KeyType, NotBefore: d.now().Add(-backdate)}); err != nil {
			return nil, err
		}
		madeCA = true
	case ca.Cert == nil || ca.Key == nil:
		return nil, fault.Hint(fmt.Errorf("signing a server certificate: %s lacks the CA's certificate or its key", filepath.Dir(d.CA())),
			"put ca.crt and %s back, or run: mosqbuild certs init --force --new-ca", caKeyFile)
	}
	leaf, err := certs.Issue(ca, certs.LeafRequest{Hosts: r.Hosts, KeyType: r.KeyType, NotBefore: d.now().Add(-backdate)})
	if err == nil {
		err = certs.Check(ca.Cert, leaf, d.now()) // the CA may be of when the clock was ahead
	}
	if err != nil {
		return nil, err
	}
	out := []struct {
		name string
		data []byte
	}{{config.KeyFile, leaf.Key}, {config.CertFile, leaf.Cert}}
	if madeCA {
		out = append(out, out[0], out[1])
		out[0].name, out[0].data = caKeyFile, ca.Key
		out[1].name, out[1].data = config.CAFile, ca.Cert
	}
	var paths []string
	for _, f := range out {
		if err := d.write(f.data, certsDir, f.name); err != nil {
			return paths, err
		}
		paths = append(paths, filepath.Join(d.Path, certsDir, f.name))
	}
	return paths, nil
}

type kept struct{ ca, leaf certs.Pair }

// readCerts reads what there is; what is missing stays nil.
func (d Dir) readCerts() (k kept, err error) {
	for name, to := range map[string]*[]byte{config.CAFile: &k.ca.Cert, caKeyFile: &k.ca.Key, config.CertFile: &k.leaf.Cert, config.KeyFile: &k.leaf.Key} {
		if *to, err = d.read(certsDir, name); err != nil {
			return k, fmt.Errorf("reading the certificates: %w", err)
		}
	}
	return k, nil
}

// certificates reads the certificates that cfg asks for, makes those of our
// own that are missing, and checks that they can serve cfg's hosts.
func (d Dir) certificates(cfg config.Config, base string, s *files.Secrets) error {
	if cfg.TLS.Source == config.SourceFiles {
		return d.foreign(cfg, base, s)
	}
	k, err := d.readCerts()
	if err == nil && k.leaf.Cert == nil && k.leaf.Key == nil {
		if _, err = d.makeCerts(CertsRequest{Name: cfg.Name, Hosts: cfg.ServerHosts(), KeyType: certs.KeyType(cfg.TLS.KeyType)}); err == nil {
			k, err = d.readCerts()
		}
	}
	if err != nil {
		return err
	}
	s.CA, s.Cert, s.Key = k.ca.Cert, k.leaf.Cert, k.leaf.Key
	if err := certs.Check(s.CA, k.leaf, d.now()); err != nil {
		return fault.Hint(fmt.Errorf("checking the certificates in %q: %w", filepath.Dir(d.CA()), err), "run: mosqbuild certs init --force")
	}
	if cfg.TLS.InCluster() { // these are the image's, which runs on this machine
		return nil
	}
	missing, err := certs.MissingHosts(s.Cert, cfg.ServerHosts())
	if err != nil || len(missing) == 0 {
		return err
	}
	return fault.Hint(fmt.Errorf("the server certificate lacks %s", strings.Join(missing, ", ")),
		"run: mosqbuild certs init --force%s", hostFlags(missing))
}

func hostFlags(hosts []string) string {
	var flags strings.Builder
	for _, h := range hosts {
		flags.WriteString(" --host " + shell.Quote(h))
	}
	return flags.String()
}

// foreign reads the certificates that the user named. Their hosts are the
// user's choice, except for the Route's: clients could not reach it.
func (d Dir) foreign(cfg config.Config, base string, s *files.Secrets) error {
	var errs []error
	for _, f := range []struct {
		name string
		to   *[]byte
	}{{cfg.TLS.CA, &s.CA}, {cfg.TLS.Cert, &s.Cert}, {cfg.TLS.Key, &s.Key}} {
		path := f.name
		if !filepath.IsAbs(path) {
			path = filepath.Join(base, path)
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = fault.Hint(err, "tls.source is %s: put the file there, or set tls.source to %s", config.SourceFiles, config.SourceGenerate)
		}
		*f.to, errs = data, append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("reading the certificates: %w", err)
	}
	if err := certs.Check(s.CA, certs.Pair{Cert: s.Cert, Key: s.Key}, d.now()); err != nil {
		return fmt.Errorf("checking %q: %w", cfg.TLS.Cert, err)
	}
	if cfg.Deploy.Host == "" {
		return nil
	}
	missing, err := certs.MissingHosts(s.Cert, []string{cfg.Deploy.Host})
	if err == nil && len(missing) > 0 {
		err = fault.Hint(fmt.Errorf("the server certificate %q lacks %s", cfg.TLS.Cert, missing[0]), "have it issued again with that name, or change deploy.host")
	}
	return err
}
