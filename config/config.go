package config

import (
	"fmt"
	"os"
	"slices"
)

// Config is what mosqbuild.yaml says. The zero value is not usable: start from
// Default or Read.
type Config struct {
	// Name names the image's title, the workload, the Services and the Route.
	Name string `yaml:"name"`
	// Image says what the image is made of.
	Image Image `yaml:"image"`
	// Mosquitto is the broker's series that configuration and manifests are
	// rendered for: "2.0" (default) or "2.1".
	Mosquitto string `yaml:"mosquitto"`
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
	// Failover holds the timings of the profile ha.
	Failover Failover `yaml:"failover"`
}

// Image says what the image is made of and where it is pushed to.
type Image struct {
	// Reference is the image's name in a registry, with or without tag.
	Reference string `yaml:"reference"`
	// Agent is the same of the image of the agents, which the profile ha needs.
	// Default: Reference with "-agent" behind the repository's name.
	Agent string `yaml:"agent"`
	// Repositories are apk repositories: http(s) URLs or folders.
	Repositories []string `yaml:"repositories"`
	// Keys are files of public keys (PEM) trusted besides Alpine's own.
	Keys []string `yaml:"keys"`
	// Packages are the packages asked for; what they depend on comes along.
	Packages []string `yaml:"packages"`
	// Platforms are what the image is for, such as linux/arm64; of several it
	// is an index. Default: linux/amd64.
	Platforms []string `yaml:"platforms"`
	// Labels are added to the image's labels, and win over the built-in ones.
	Labels map[string]string `yaml:"labels"`
}

// Listener is one TCP listener of the broker.
type Listener struct {
	// Name names the port in a Service: lower case letters, digits and dashes.
	Name string `yaml:"name" json:"name"`
	// Port is between 1024 and 65535: an arbitrary uid can open no lower one.
	Port int `yaml:"port" json:"port"`
	// TLS encrypts the listener with the server certificate.
	TLS bool `yaml:"tls" json:"tls"`
	// WebSockets has the listener speak MQTT over WebSockets, from 2.1 on.
	WebSockets bool `yaml:"websockets" json:"websockets,omitempty"`
}

// TLS says where the certificates come from.
type TLS struct {
	// Source is "generate" (a CA of our own, kept in the state folder),
	// "files" (CA, Cert and Key), "cert-manager" (Issuer) or "service-ca"
	// (OpenShift's), both of which make them in the cluster, or "" for no TLS.
	Source string `yaml:"source"`
	// Issuer names cert-manager's Issuer, or its ClusterIssuer as
	// "ClusterIssuer/NAME".
	Issuer string `yaml:"issuer"`
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
	// Profile is "openshift" (default), "loadbalancer" or "ha".
	Profile string `yaml:"profile"`
	// Namespace is written into every object. Default: none, so that the
	// namespace is the one that `oc apply` or `kubectl apply` works in.
	Namespace string `yaml:"namespace"`
	// Host is the name that clients outside the cluster use: the Route's, or
	// that of the load balancer's address. Default: the router makes one.
	Host string `yaml:"host"`
	// PullSecret names the Secret that the image is pulled with.
	PullSecret string `yaml:"pullSecret"`
	// Memory is the broker's memory limit, as a Kubernetes quantity.
	Memory string `yaml:"memory"`
	// User and Group run the pod; 0 is the cluster's choice on OpenShift (the
	// profile openshift, and ha with the ingress route), and 568 elsewhere.
	User  int `yaml:"user"`
	Group int `yaml:"group"`
	// Storage is the volume of retained messages and sessions.
	Storage Storage `yaml:"storage"`
	// LoadBalancer is the outside of the profiles loadbalancer and ha.
	LoadBalancer LoadBalancer `yaml:"loadBalancer"`
	// Ingress is what leads into the profile ha: "loadbalancer" (default),
	// "traefik" or "route".
	Ingress string `yaml:"ingress"`
}

// Storage is a PersistentVolumeClaim.
type Storage struct {
	// Size is a Kubernetes quantity. Default: none, and what is kept goes with
	// the pod; 1Gi under the profile loadbalancer.
	Size string `yaml:"size"`
	// Class is the StorageClass. Default: the cluster's default.
	Class string `yaml:"class"`
}

// LoadBalancer is a Service's address outside the cluster.
type LoadBalancer struct {
	// Address is asked for from Cilium's LB IPAM. Default: any.
	Address string `yaml:"address"`
	// Annotations are added to the Service, for other load balancers.
	Annotations map[string]string `yaml:"annotations"`
}

// Default returns the configuration of an empty mosqbuild.yaml: both standard
// listeners, certificates of our own, one user, no anonymous access.
func Default() Config {
	return Config{
		Name:      "mosquitto",
		Mosquitto: "2.0",
		Image: Image{
			Repositories: []string{DefaultRepository},
			Packages:     []string{"mosquitto", "mosquitto-clients", "ca-certificates-bundle"},
		},
		Listeners: []Listener{{Name: "mqtt", Port: PortMQTT}, {Name: "mqtts", Port: PortMQTTS, TLS: true}},
		TLS:       TLS{Source: SourceGenerate, KeyType: "ecdsa-p256"},
		Users:     []User{{Name: "admin"}},
		Deploy:    Deploy{Profile: ProfileOpenShift, Memory: "64Mi", Ingress: IngressLoadBalancer},
		Failover:  defaultFailover(),
	}
}

// Listener returns the first listener with or without TLS that isn't for
// WebSockets, and whether there is one.
func (c Config) Listener(tls bool) (Listener, bool) {
	for _, l := range c.Listeners {
		if l.TLS == tls && !l.WebSockets {
			return l, true
		}
	}
	return Listener{}, false
}

// HasTLS tells whether a listener, for WebSockets or not, has TLS.
func (c Config) HasTLS() bool {
	return slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.TLS })
}

// directOffset is how much higher a direct listener's port is than the clients'.
const directOffset = 10000

// Direct is a pair's further listener beside l, one of the clients': each broker's
// own Service leads there, and the agents' probes use it. Whoever comes that way has
// chosen this broker; who comes to l of a broker that was replaced was led there by
// mistake.
func (l Listener) Direct() Listener {
	return Listener{Name: fmt.Sprintf("direct-%d", l.Port), Port: l.Port + directOffset, TLS: l.TLS, WebSockets: l.WebSockets}
}

// Direct are all of a pair's direct listeners, in the order of the clients'.
func (c Config) Direct() []Listener {
	var all []Listener
	for _, l := range c.Listeners {
		all = append(all, l.Direct())
	}
	return all
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
