package files

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"

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
}

// Secrets are the credentials that a Bundle's Defaults are made of. CA, Cert
// and Key are empty where no listener has TLS.
type Secrets struct {
	CA, Cert, Key []byte // PEM
	Passwd        []byte // the broker's password file
	Health        []byte // mosquitto_sub's option file of the health user
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
	conf, err := renderConf(cfg)
	if err != nil {
		return Bundle{}, err
	}
	acl, err := renderACL(cfg, s.Passwd)
	if err != nil {
		return Bundle{}, err
	}
	b := Bundle{
		Rendered: []File{
			{path.Join(config.ConfigDir, config.ACLFile), modePublic, acl},
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
	return b, nil
}

//go:embed mosquitto.conf.tmpl
var confTemplate string

func renderConf(cfg config.Config) ([]byte, error) {
	t, err := template.New(config.ConfFile).Option("missingkey=error").Parse(confTemplate)
	if err != nil {
		return nil, fmt.Errorf("parsing the template of %s: %w", config.ConfFile, err)
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{
		"Config": cfg,
		"Passwd": path.Join(config.AuthDir, config.PasswdFile),
		"ACL":    path.Join(config.ConfigDir, config.ACLFile),
		"Data":   config.DataDir,
		"Cert":   path.Join(config.CertsDir, config.CertFile),
		"Key":    path.Join(config.CertsDir, config.KeyFile),
	})
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", config.ConfFile, err)
	}
	return out.Bytes(), nil
}

// fullAccess is what a user without an ACL of its own may do.
var fullAccess = []string{"readwrite #", "read $SYS/#"}

// renderACL writes one block a user: once there is an ACL file, the broker
// denies whatever no block allows.
func renderACL(cfg config.Config, passwdFile []byte) ([]byte, error) {
	var out bytes.Buffer
	if cfg.AllowAnonymous {
		writeTopics(&out, fullAccess[:1])
	}
	named := []string{config.HealthUser}
	fmt.Fprintf(&out, "# Probes log in as this user.\nuser %s\n", config.HealthUser)
	writeTopics(&out, []string{"read " + config.HealthTopic})
	for _, u := range cfg.Users {
		named = append(named, u.Name)
		writeUser(&out, u)
	}
	f, err := passwd.Parse(passwdFile)
	if err != nil {
		return nil, fmt.Errorf("reading the password file's users: %w", err)
	}
	for _, name := range f.Users() {
		if !slices.Contains(named, name) {
			writeUser(&out, config.User{Name: name})
		}
	}
	return out.Bytes(), nil
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
