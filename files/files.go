package files

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/passwd"
)

// File is one regular file, owned by root:root.
type File struct {
	Path string // absolute in the image
	Mode fs.FileMode
	Data []byte
}

// Bundle is everything that goes beside the packages.
type Bundle struct {
	// Rendered follows from the configuration and holds nothing secret.
	Rendered []File
	// Defaults are certificates and logins: secret, and only for a broker
	// whose deployment brings none of its own.
	Defaults []File
	// Primary and Secondary are what one broker of a pair has in place of
	// Rendered's file of the same path, and besides it: its configuration and
	// its certificate of the bridge, which is secret. Empty unless the profile
	// is ha; no image holds them.
	Primary, Secondary []File
	// Agent is what the agents of a pair know each other by, which is secret.
	// Empty unless the profile is ha; no image holds it.
	Agent []File
	// Unnamed are the users of the password file that the configuration doesn't
	// name, and who may read and write every topic.
	Unnamed []string
}

// Secrets are the credentials that a Bundle's Defaults are made of. CA, Cert
// and Key are empty where no listener has TLS.
type Secrets struct {
	CA, Cert, Key []byte // PEM
	Passwd        []byte // the broker's password file
	Health        []byte // mosquitto_sub's option file of the health user
	Guard         []byte // the same of the guards' user, of the profile ha alone
	Bridge        Bridge // of the profile ha alone
}

// Bridge is what the brokers of a pair, and their agents, know each other by.
// Its authority is its own: whatever else a CA signs, it makes no bridge of a
// client.
type Bridge struct {
	CA             []byte     // certificate, PEM
	Server, Client certs.Pair // the primary's and the secondary's
	Agent          certs.Pair // one for all agents, to serve and to call with
}

const (
	// modePublic is the ACL's too, although the broker warns of it: a pod
	// without gid 0 that brings its own credentials must read it.
	modePublic = fs.FileMode(0o644)
	modeSecret = fs.FileMode(0o640) // the broker reads it as group root
)

// Render returns the files of cfg and s, sorted by path. Users in the password
// file that cfg doesn't name get the access of a user without ACL.
func Render(cfg config.Config, s Secrets) (Bundle, error) {
	conf, err := renderConf(cfg, "")
	if err != nil {
		return Bundle{}, err
	}
	others, err := unnamed(cfg, s.Passwd)
	if err != nil {
		return Bundle{}, err
	}
	b := Bundle{
		Unnamed: others,
		Rendered: []File{
			{path.Join(config.ConfigDir, config.ACLFile), modePublic, renderACL(cfg, others)},
			{path.Join(config.ConfigDir, config.ConfFile), modePublic, conf},
		},
		Defaults: []File{
			{path.Join(config.AuthDir, config.OptionsFile), modeSecret, s.Health},
			{path.Join(config.AuthDir, config.PasswdFile), modeSecret, s.Passwd},
		},
	}
	if len(s.Cert) > 0 {
		b.Defaults = append(b.Defaults,
			File{path.Join(config.CertsDir, config.CAFile), modePublic, s.CA},
			File{path.Join(config.CertsDir, config.CertFile), modePublic, s.Cert},
			File{path.Join(config.CertsDir, config.KeyFile), modeSecret, s.Key})
	}
	if cfg.Deploy.Profile != config.ProfileHA {
		return b, nil
	}
	if len(s.Guard) > 0 {
		b.Defaults = append(b.Defaults, File{path.Join(config.AuthDir, config.GuardFile), modeSecret, s.Guard})
	}
	if own := s.Bridge.Agent; len(own.Cert) > 0 {
		b.Agent = []File{
			{config.AgentTLS(config.CAFile), modePublic, s.Bridge.CA},
			{config.AgentTLS(config.CertFile), modePublic, own.Cert},
			{config.AgentTLS(config.KeyFile), modeSecret, own.Key},
		}
	}
	if b.Primary, err = pairFiles(cfg, config.RolePrimary, s.Bridge.CA, s.Bridge.Server); err != nil {
		return Bundle{}, err
	}
	b.Secondary, err = pairFiles(cfg, config.RoleSecondary, s.Bridge.CA, s.Bridge.Client)
	return b, err
}

// pairFiles are the files of the broker of that role alone.
func pairFiles(cfg config.Config, role string, ca []byte, own certs.Pair) ([]File, error) {
	conf, err := renderConf(cfg, role)
	if err != nil {
		return nil, err
	}
	all := []File{{path.Join(config.ConfigDir, config.ConfFile), modePublic, conf}}
	if len(own.Cert) > 0 {
		all = append(all,
			File{path.Join(config.BridgeDir, config.CAFile), modePublic, ca},
			File{path.Join(config.BridgeDir, config.CertFile), modePublic, own.Cert},
			File{path.Join(config.BridgeDir, config.KeyFile), modeSecret, own.Key})
	}
	return all, nil
}

// fullAccess is what a user without an ACL of its own may do.
var fullAccess = []string{"readwrite #", "read $SYS/#"}

// probeAccess is what the agents' probes do: they wait for what they publish.
var probeAccess = []string{"readwrite " + config.ProbePrefix + "#"}

// renderACL writes one block a user, of others too: once there is an ACL file, the
// broker denies whatever no block allows.
func renderACL(cfg config.Config, others []string) []byte {
	var out bytes.Buffer
	if cfg.AllowAnonymous {
		writeTopics(&out, fullAccess[:1])
	}
	fmt.Fprintf(&out, "# Probes log in as this user.\nuser %s\n", config.HealthUser)
	writeTopics(&out, []string{"read " + config.HealthTopic})
	if cfg.Deploy.Profile == config.ProfileHA {
		// $SYS and $CONTROL are out of reach: # matches no topic that begins with $.
		writeTopics(&out, probeAccess)
		fmt.Fprintf(&out, "\n# The other broker of the pair.\nuser %s\n", config.BridgeUser)
		writeTopics(&out, fullAccess[:1])
		fmt.Fprintf(&out, "\n# Guards probe, and compare what both brokers have retained.\nuser %s\n", config.GuardUser)
		writeTopics(&out, append([]string{"read #"}, probeAccess...))
	}
	for _, u := range cfg.Users {
		writeUser(&out, u)
	}
	for _, name := range others {
		writeUser(&out, config.User{Name: name})
	}
	return out.Bytes()
}

// unnamed returns the users of the password file that cfg doesn't name.
func unnamed(cfg config.Config, passwdFile []byte) ([]string, error) {
	f, err := passwd.Parse(passwdFile)
	if err != nil {
		return nil, fmt.Errorf("reading the password file's users: %w", err)
	}
	named := []string{config.HealthUser}
	if cfg.Deploy.Profile == config.ProfileHA {
		named = append(named, config.BridgeUser, config.GuardUser)
	}
	for _, u := range cfg.Users {
		named = append(named, u.Name)
	}
	return slices.DeleteFunc(f.Users(), func(name string) bool { return slices.Contains(named, name) }), nil
}

func writeUser(out *bytes.Buffer, u config.User) {
	fmt.Fprintf(out, "\nuser %s\n", u.Name)
	rules := u.ACL
	if len(rules) == 0 {
		rules = fullAccess
	}
	writeTopics(out, rules)
}

func writeTopics(out *bytes.Buffer, rules []string) {
	for _, rule := range rules {
		fmt.Fprintf(out, "topic %s\n", strings.TrimSpace(rule))
	}
}
