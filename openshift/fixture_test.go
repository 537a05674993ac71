package openshift_test

import (
	"bytes"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
	"github.com/mosqbuild/mosqbuild/openshift"
)

const image = "registry.example/mosquitto@sha256:0000000000000000000000000000000000000000000000000000000000000000"

const agentImage = "registry.example/mosquitto-agent@sha256:1111111111111111111111111111111111111111111111111111111111111111"

// secrets are stand-ins: nothing reads them but the test.
var secrets = files.Secrets{
	CA: []byte("certificate of the CA\n"), Cert: []byte("server certificate\n"), Key: []byte("server key\n"),
	Passwd: []byte("admin:a hash\n"), Health: []byte("-u health\n-P a password\n"),
	Guard: []byte("-u guard\n-P another\n"),
	Bridge: files.Bridge{
		CA:     []byte("certificate of the bridge's CA\n"),
		Server: certs.Pair{Cert: []byte("primary's certificate\n"), Key: []byte("primary's key\n")},
		Client: certs.Pair{Cert: []byte("secondary's certificate\n"), Key: []byte("secondary's key\n")},
		Agent:  certs.Pair{Cert: []byte("agents' certificate\n"), Key: []byte("agents' key\n")},
	},
}

// deployments are the configurations of the golden files.
func deployments() map[string]config.Config {
	full := config.Default()
	full.Name = "site"
	full.Deploy = config.Deploy{Profile: config.ProfileOpenShift, Namespace: "telemetry", Host: "mqtt.example.com", PullSecret: "quay", Memory: "128Mi"}
	full.Users = append(full.Users, config.User{Name: "sensor", ACL: []string{"write measured/#"}})
	plain := config.Default()
	plain.Listeners, plain.TLS = plain.Listeners[:1], config.TLS{KeyType: plain.TLS.KeyType}
	tls := config.Default()
	tls.Listeners = []config.Listener{{Name: "mqtts", Port: 8883, TLS: true}, {Name: "devices", Port: 8884, TLS: true}}
	foreign := tls
	foreign.TLS.Source = config.SourceFiles
	web := config.Default()
	web.Mosquitto, web.Listeners = "2.1", []config.Listener{{Name: "mqtt", Port: 1883}, {Name: "ws", Port: 8080, WebSockets: true}, {Name: "wss", Port: 8443, TLS: true, WebSockets: true}}
	all := map[string]config.Config{"default": config.Default(), "full": full, "plain": plain, "tls": tls, "foreign": foreign, "websockets": web}
	for name, more := range profiles() {
		all[name] = more
	}
	return all
}

// profiles are the configurations of the other profiles, and of certificates
// that are made in the cluster.
func profiles() map[string]config.Config {
	issued, service, balanced, pair := config.Default(), config.Default(), config.Default(), config.Default()
	issued.TLS.Source, issued.TLS.Issuer, issued.TLS.KeyType = config.SourceCertManager, "ClusterIssuer/internal", "rsa:3072"
	issued.Deploy.Host, issued.Listeners = "mqtt.example.com", issued.Listeners[1:]
	service.TLS.Source, service.Listeners = config.SourceServiceCA, service.Listeners[1:]
	balanced.Deploy.Profile, balanced.Deploy.Host = config.ProfileLoadBalancer, "mqtt.example.com"
	balanced.Deploy.LoadBalancer = config.LoadBalancer{Address: "192.0.2.7", Annotations: map[string]string{"example.com/pool": "lan"}}
	balanced.Deploy.Storage.Class = "local"
	pair.Deploy.Profile, pair.Deploy.Namespace = config.ProfileHA, "iot"
	traefik, route := pair, pair
	traefik.Deploy.Ingress, traefik.Deploy.Host = config.IngressTraefik, "mqtt.example.com"
	traefik.Deploy.User, traefik.Deploy.Group, traefik.Deploy.Storage.Size = 1000, 2000, "2Gi"
	route.Deploy.Ingress, route.Deploy.Host = config.IngressRoute, "mqtt.example.com"
	route.Mosquitto, route.Listeners = "2.1", append(slices.Clone(route.Listeners), config.Listener{Name: "wss", Port: 9443, TLS: true, WebSockets: true})
	return map[string]config.Config{"cert-manager": issued, "service-ca": service, "loadbalancer": balanced,
		"ha": pair, "ha-traefik": traefik, "ha-route": route}
}

// options are those of the golden files.
func options(cfg config.Config) openshift.Options {
	return openshift.Options{
		Image: image, AgentImage: agentImage, Version: "2.0.22",
		CreateNamespace: cfg.Deploy.PullSecret != "",
		TraefikPorts:    cfg.Deploy.Ingress == config.IngressTraefik,
	}
}

// routed are the listeners with TLS that the router may lead to, the Route's first.
func routed(cfg config.Config) (all []config.Listener) {
	for _, l := range cfg.Listeners {
		if l.TLS && (l.WebSockets || all == nil || all[0].WebSockets) {
			all = append(all, l)
		}
	}
	return all
}

// bundle renders a deployment's files; plain ones have no certificates.
func bundle(t *testing.T, cfg config.Config) files.Bundle {
	t.Helper()
	s := secrets
	if !cfg.HasTLS() || cfg.TLS.InCluster() {
		s.CA, s.Cert, s.Key = nil, nil, nil
	}
	b, err := files.Render(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func objects(t *testing.T, cfg config.Config) []runtime.Object {
	t.Helper()
	objs, err := openshift.Objects(cfg, bundle(t, cfg), options(cfg))
	if err != nil {
		t.Fatal(err)
	}
	return objs
}

func render(t *testing.T, cfg config.Config) []byte { return write(t, objects(t, cfg)) }

func write(t *testing.T, objs []runtime.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := openshift.WriteYAML(&out, objs); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
