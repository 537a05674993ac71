package config

import (
	"os"
	"strings"
)

// Config is what mosqbuild.yaml says. The zero value is not usable: start from
// Default or Read.
type Config struct {
	// Name names the image's title, the Deployment, the Services and the Route.
	Name string `yaml:"name"`
	// Image says what the image is made of.
	Image Image `yaml:"image"`
	// Listeners are the broker's TCP listeners, each with a port of its own.
	Listeners []Listener `yaml:"listeners"`
	// TLS says where the certificates of the TLS listeners come from.
	TLS TLS `yaml:"tls"`
	// AllowAnonymous lets clients in without a user name. Default: false.
	AllowAnonymous bool `yaml:"allowAnonymous"`
	// Users may log in; the first one's password is generated where it has none.
	Users []User `yaml:"users"`
	// Deploy holds what only the manifests need.
	Deploy Deploy `yaml:"deploy"`
}

// Image says what the image is made of and where it is pushed to.
type Image struct {
	// Reference is the image's name in a registry, with or without tag.
	Reference string `yaml:"reference"`
	// Repositories are apk repositories: http(s) URLs or folders.
	Repositories []string `yaml:"repositories"`
	// Keys are files of public keys (PEM) trusted besides Alpine's own.
	Keys []string `yaml:"keys"`
	// Packages are the packages asked for; what they depend on comes along.
	Packages []string `yaml:"packages"`
	// Labels are added to the image's labels, and win over the built-in ones.
	Labels map[string]string `yaml:"labels"`
}

// Listener is one TCP listener of the broker.
type Listener struct {
	// Name names the port in a Service: lower case letters, digits and dashes.
	Name string `yaml:"name"`
	// Port is between 1024 and 65535: an arbitrary uid can open no lower one.
	Port int `yaml:"port"`
	// TLS encrypts the listener with the server certificate.
	TLS bool `yaml:"tls"`
}

// TLS says where the certificates come from.
type TLS struct {
	// Source is "generate" (a CA of our own, kept in the state folder),
	// "files" (CA, Cert and Key), or "" for no TLS at all.
	Source string `yaml:"source"`
	// CA, Cert and Key are PEM files, relative to mosqbuild.yaml's folder.
	CA   string `yaml:"ca"`
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	// Hosts are names and addresses that the certificate carries besides
	// localhost, 127.0.0.1, the Service names and the Route's host.
	Hosts []string `yaml:"hosts"`
	// KeyType is "ecdsa-p256" (default), "rsa:2048", "rsa:3072" or "rsa:4096".
	KeyType string `yaml:"keyType"`
}

// User is somebody who may log in.
type User struct {
	// Name is the user's name in the password file.
	Name string `yaml:"name"`
	// ACL are "read TOPIC", "write TOPIC", "readwrite TOPIC" or "deny TOPIC".
	// Default: everything, and $SYS to read.
	ACL []string `yaml:"acl"`
}

// Deploy holds what only the manifests need.
type Deploy struct {
	// Namespace is written into every object. Default: none, so that the
	// namespace is the one that `oc apply` or `kubectl apply` works in.
	Namespace string `yaml:"namespace"`
	// Host is the Route's host name. Default: the router makes one.
	Host string `yaml:"host"`
	// PullSecret names the Secret that the image is pulled with.
	PullSecret string `yaml:"pullSecret"`
	// Memory is the broker's memory limit, as a Kubernetes quantity.
	Memory string `yaml:"memory"`
}

// Default returns the configuration of an empty mosqbuild.yaml: both standard
// listeners, certificates of our own, one user, no anonymous access.
func Default() Config {
	return Config{
		Name: "mosquitto",
		Image: Image{
			Repositories: []string{DefaultRepository},
			Packages:     []string{"mosquitto", "mosquitto-clients", "ca-certificates-bundle"},
		},
		Listeners: []Listener{{Name: "mqtt", Port: PortMQTT}, {Name: "mqtts", Port: PortMQTTS, TLS: true}},
		TLS:       TLS{Source: SourceGenerate, KeyType: "ecdsa-p256"},
		Users:     []User{{Name: "admin"}},
		Deploy:    Deploy{Memory: "64Mi"},
	}
}

// Listener returns the first listener with or without TLS, and whether there
// is one.
func (c Config) Listener(tls bool) (Listener, bool) {
	for _, l := range c.Listeners {
		if l.TLS == tls {
			return l, true
		}
	}
	return Listener{}, false
}

// ServerHosts returns every name and address that the server certificate must
// carry: the loopback ones, the names of the TLS Service and of the broker, the
// Route's host, and TLS.Hosts; each once, in this order.
func (c Config) ServerHosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1", c.Name, c.Name + "-tls"}
	if ns := c.Deploy.Namespace; ns != "" {
		service := c.Name + "-tls." + ns
		hosts = append(hosts, service, service+".svc", service+".svc.cluster.local")
	}
	if c.Deploy.Host != "" {
		hosts = append(hosts, c.Deploy.Host)
	}
	seen := map[string]bool{}
	var out []string
	for _, h := range append(hosts, c.TLS.Hosts...) {
		if k := strings.ToLower(h); !seen[k] {
			seen[k] = true
			out = append(out, h)
		}
	}
	return out
}

// Load reads the file at path. A missing file is Default() unless required.
func Load(path string, required bool) (Config, error) {
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) && !required {
		return Default(), nil
	}
	if err != nil {
		return Config{}, err
	}
	return Read(path, data)
}
