package state_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/state"
	"github.com/mosqbuild/mosqbuild/passwd"
)

// deployedPair is a pair's state as the first rendering makes it.
func deployedPair(t *testing.T) (state.Dir, config.Config, files.Secrets) {
	t.Helper()
	d := state.Dir{Path: filepath.Join(t.TempDir(), "state")}
	cfg := config.Default()
	cfg.Deploy.Profile = config.ProfileHA
	first, err := d.Deployed(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	return d, cfg, first
}

func TestDeployedPair(t *testing.T) {
	d, cfg, first := deployedPair(t)
	again, err := d.Deployed(cfg, "")
	if err != nil || !bytes.Equal(first.Bridge.Client.Key, again.Bridge.Client.Key) || !bytes.Equal(first.Bridge.Server.Cert, again.Bridge.Server.Cert) {
		t.Errorf("the bridge's certificates were made twice: %v", err)
	}
	if bytes.Equal(first.Bridge.CA, first.CA) || len(first.Bridge.CA) == 0 {
		t.Error("the bridge has no authority of its own")
	}
	folder, err := os.ReadDir(filepath.Join(d.Path, "bridge"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folder {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if !bytes.Equal(first.Guard, again.Guard) || !bytes.Equal(first.Passwd, again.Passwd) || !bytes.Equal(first.Bridge.Agent.Key, again.Bridge.Agent.Key) {
		t.Error("the agents' credentials were made twice")
	}
	if f, err := passwd.Parse(first.Passwd); err != nil {
		t.Error(err)
	} else if _, password, _ := strings.Cut(strings.TrimSpace(string(first.Guard)), "-P "); f.Verify(config.GuardUser, []byte(password)) != nil {
		t.Errorf("the guards' login %q is not that of the password file", first.Guard)
	}
	kept, err := os.ReadFile(d.Passwd())
	if err != nil || bytes.Contains(kept, []byte(config.GuardUser+":")) {
		t.Errorf("the password file of images holds the guards' user, or: %v", err)
	}
	if missing, err := certs.MissingHosts(first.Bridge.Server.Cert, []string{"127.0.0.1", "localhost", "mosquitto-primary"}); err != nil || len(missing) > 0 {
		t.Errorf("the bridge's server can't be called %q: %v", missing, err)
	}
	if image, err := d.Secrets(cfg, ""); err != nil || image.Bridge.CA != nil {
		t.Errorf("the image's credentials hold the bridge's: %v", err)
	}

	// Under another name the primary's certificate fits no more.
	cfg.Name = "other"
	if _, err := d.MakeCerts(state.CertsRequest{Name: "x", Hosts: cfg.ServerHosts(), Force: true}); err != nil {
		t.Fatal(err)
	}
	_, err = d.Deployed(cfg, "")
	if err == nil || !strings.Contains(err.Error(), "other-primary") || !strings.Contains(fault.HintOf(err), "certs init --force") {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	if _, err := d.MakeCerts(state.CertsRequest{Name: cfg.Name, Hosts: cfg.ServerHosts(), Force: true, Bridge: true}); err != nil {
		t.Fatal(err)
	}
	if _, err = d.Deployed(cfg, ""); err != nil {
		t.Errorf("after the hint was followed: %v", err)
	}
	if err := os.Remove(filepath.Join(d.Path, "bridge", "client.key")); err != nil {
		t.Fatal(err)
	}
	if _, err = d.Deployed(cfg, ""); err == nil {
		t.Error("a missing key goes unnoticed")
	}
}

// A renewal keeps the pair's authority, as long as none is asked for: brokers and
// agents of before and after trust each other.
func TestRenewedPair(t *testing.T) {
	d, cfg, first := deployedPair(t)
	for _, newCA := range []bool{false, true} {
		if _, err := d.MakeCerts(state.CertsRequest{Name: cfg.Name, Hosts: cfg.ServerHosts(), Force: true, NewCA: newCA, Bridge: true}); err != nil {
			t.Fatal(err)
		}
		renewed, err := d.Deployed(cfg, "")
		if err != nil || bytes.Equal(renewed.Bridge.CA, first.Bridge.CA) == newCA || bytes.Equal(renewed.Bridge.Agent.Cert, first.Bridge.Agent.Cert) {
			t.Errorf("with another authority %v, it isn't so, or the certificates stay: %v", newCA, err)
		}
	}
}

func TestDeployedWithCertificatesOfTheCluster(t *testing.T) {
	for _, source := range []string{config.SourceCertManager, config.SourceServiceCA} {
		d := state.Dir{Path: filepath.Join(t.TempDir(), "state")}
		cfg := config.Default()
		cfg.TLS.Source = source
		s, err := d.Deployed(cfg, "")
		if err != nil || s.Cert != nil || s.CA != nil {
			t.Errorf("%s: certificates were made: %v", source, err)
		}
		if _, err := os.Stat(filepath.Join(d.Path, "certs")); err == nil {
			t.Errorf("%s: there is a folder of certificates", source)
		}
		// The image runs on this machine with certificates of its own, whatever
		// names the cluster's will have.
		cfg.Deploy.Namespace = "iot"
		if s, err = d.Secrets(cfg, ""); err != nil || s.Cert == nil {
			t.Errorf("%s: no certificates for the image: %v", source, err)
		}
		cfg.Deploy.Namespace = "other"
		if _, err = d.Secrets(cfg, ""); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// A folder of before there were agents is refused with the way out of it.
func TestDeployedPairWithoutAgents(t *testing.T) {
	d := state.Dir{Path: filepath.Join(t.TempDir(), "state")}
	cfg := config.Default()
	cfg.Deploy.Profile = config.ProfileHA
	if _, err := d.Deployed(cfg, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"agent.crt", "agent.key"} {
		if err := os.Remove(filepath.Join(d.Path, "bridge", name)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := d.Deployed(cfg, "")
	if err == nil || !strings.Contains(err.Error(), "none for the agents") || !strings.Contains(fault.HintOf(err), "certs init --force") {
		t.Errorf("error %v, hint %q", err, fault.HintOf(err))
	}
	if _, err := d.MakeCerts(state.CertsRequest{Name: cfg.Name, Hosts: cfg.ServerHosts(), Force: true, Bridge: true}); err != nil {
		t.Fatal(err)
	}
	if _, err = d.Deployed(cfg, ""); err != nil {
		t.Errorf("after the hint was followed: %v", err)
	}
}
