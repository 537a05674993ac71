package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/state"
)

// oldHosts are the hosts of the certificate that a forced run replaces. One
// that can't be read any more has none.
func (a *app) oldHosts(r state.CertsRequest) ([]string, error) {
	if !r.Force || r.NewCA {
		return nil, nil
	}
	cert, err := os.ReadFile(filepath.Join(filepath.Dir(a.state().CA()), config.CertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	hosts, err := certs.Hosts(cert)
	if err != nil {
		a.note("the old certificate can't be read, so its hosts are lost: %v", err)
		return nil, nil
	}
	return hosts, nil
}

func hintCerts(err error, dir state.Dir) error {
	folder := filepath.Dir(dir.CA())
	switch {
	case errors.Is(err, state.ErrCertsExist):
		return fault.Hint(fmt.Errorf("%w in %q", err, folder), "to issue it anew under the same CA, run: mosqbuild certs init --force")
	case errors.Is(err, certs.ErrNotYetValid):
		return fault.Hint(fmt.Errorf("using the CA in %q: %w", folder, err), "set this machine's clock; if it is right, replace the CA, which every client must then be given: mosqbuild certs init --force --new-ca")
	case errors.Is(err, certs.ErrExpired), errors.Is(err, certs.ErrPEM), errors.Is(err, certs.ErrKeyMismatch), errors.Is(err, certs.ErrNotCA):
		return fault.Hint(fmt.Errorf("using the CA in %q: %w", folder, err), "to replace the CA, which every client must then be given, run: mosqbuild certs init --force --new-ca")
	}
	return err
}
