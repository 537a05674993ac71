package files

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
	"text/template"

	"github.com/mosqbuild/mosqbuild/config"
)

//go:embed mosquitto.conf.tmpl
var confTemplate string

// conf is what the template of mosquitto.conf is filled with.
type conf struct {
	config.Config
	Role              string // of a broker of a pair, or ""
	Persistent        bool
	Passwd, ACL, Data string
	Cert, Key         string
	Plugins           string // folder
	Bridge            bridgeConf
}

// bridgeConf is what both ends of the bridge are configured with.
type bridgeConf struct {
	User, Client  string // at the primary
	To            string // what the bridge is called: the primary's Service
	Port, Gate    int    // the primary's, and the secondary's guard's
	CA, Cert, Key string
}

// renderConf renders mosquitto.conf, for the broker of that role in a pair.
func renderConf(cfg config.Config, role string) ([]byte, error) {
	t, err := template.New(config.ConfFile).Option("missingkey=error").Parse(confTemplate)
	if err != nil {
		return nil, fmt.Errorf("parsing the template of %s: %w", config.ConfFile, err)
	}
	var out bytes.Buffer
	err = t.Execute(&out, conf{
		Config:     cfg,
		Role:       role,
		Persistent: role == "" || cfg.Deploy.Volume() != "",
		Passwd:     path.Join(config.AuthDir, config.PasswdFile),
		ACL:        path.Join(config.ConfigDir, config.ACLFile),
		Data:       config.DataDir,
		Cert:       path.Join(config.CertsDir, config.CertFile),
		Key:        path.Join(config.CertsDir, config.KeyFile),
		Plugins:    config.PluginDir,
		Bridge: bridgeConf{
			User:   config.BridgeUser,
			Client: cfg.Name + "-bridge",
			To:     cfg.Broker(config.RolePrimary),
			Port:   config.PortBridge,
			Gate:   config.PortBridgeGate,
			CA:     path.Join(config.BridgeDir, config.CAFile),
			Cert:   path.Join(config.BridgeDir, config.CertFile),
			Key:    path.Join(config.BridgeDir, config.KeyFile),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", config.ConfFile, err)
	}
	return out.Bytes(), nil
}
