package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/probe"
)

// target says which broker to probe: what the flags leave open is the
// configuration's, and the login that of its first user.
func (a *app) target(cfg config.Config, host string, o probeOptions) (probe.Options, error) {
	t := probe.Options{
		Host:       host,
		Port:       listenerPort(cfg, false, o.Port),
		TLSPort:    listenerPort(cfg, true, o.TLSPort),
		ServerName: o.ServerName,
		Username:   o.User,
		Anonymous:  cfg.AllowAnonymous,
		Timeout:    o.Timeout,
	}
	if t.Port == 0 && t.TLSPort == 0 {
		return t, fault.With(fault.Usage, errors.New("there is no listener to probe; give --port or --tls-port"))
	}
	var err error
	if t.TLSPort != 0 {
		if o.CA == "" && cfg.TLS.InCluster() && !image.IsLoopback(host+"/") {
			err := errors.New("the CA is made in the cluster, and the one here is another")
			return t, fault.With(fault.Usage, fault.Hint(err, "fetch it as \"mosqbuild render\" says, and give it: --cafile FILE"))
		}
		if t.CA, err = a.readCA(cfg, o.CA); err != nil {
			return t, err
		}
	}
	if t.Username == "" && len(cfg.Users) > 0 {
		t.Username = cfg.Users[0].Name
	}
	if t.Username != "" {
		t.Password, err = a.password(cfg, t.Username, o.Password)
	}
	return t, err
}

func (a *app) readCA(cfg config.Config, file string) ([]byte, error) {
	hint := "give --cafile, or --tls-port 0 to leave TLS out"
	if file == "" {
		file = a.caFile(cfg)
		hint = "the CA is made by: mosqbuild certs init; for a broker from elsewhere give --cafile, or --tls-port 0 to leave TLS out"
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading the CA's certificate: %w", err), "%s", hint))
	}
	return pem, nil
}

// password reads user's password from the file given, or else the one that was
// generated, which is the first user's.
func (a *app) password(cfg config.Config, user, file string) (password []byte, err error) {
	switch {
	case file == "-":
		password, err = io.ReadAll(a.In)
	case file != "":
		password, err = os.ReadFile(file)
	case len(cfg.Users) > 0 && cfg.Users[0].Name == user:
		password, err = a.state().Login(user)
		if err == nil && password == nil {
			err = fs.ErrNotExist
		}
	default:
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fault.With(fault.Usage, fault.Hint(fmt.Errorf("reading the password of user %q: %w", user, err),
			"give --password-file FILE, or - for stdin"))
	}
	return bytes.TrimSuffix(password, []byte("\n")), nil
}

// listenerPort is the flag where it was given, or the configured port.
func listenerPort(cfg config.Config, tls bool, flag int) int {
	if flag >= 0 {
		return flag
	}
	l, _ := cfg.Listener(tls)
	return l.Port
}
