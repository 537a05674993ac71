package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestReadReportsEveryFaultWithLineAndPath(t *testing.T) {
	in := `name: Mosquitto
image:
  packages: [mosquitto-clients]
  colour: red
listeners:
  - {name: mqtt, port: 80}
  - name: mqtts
    port: eight
    tls: true
  - {name: again, port: 9001}
  - {name: again, port: 9001}
  - {name: web, port: 9002, websockets: true}
tls:
  source: ""
users: []
deploy:
  host: not a host
`
	want := []string{
		`x.yaml:1: name: "Mosquitto" is no name`,
		`x.yaml:3: image.packages: lacks "mosquitto"`,
		`x.yaml:4: image.colour: there is no such setting`,
		`x.yaml:6: listeners[0].port: 80 is not between 1024 and 65535`,
		"x.yaml:8: listeners[1].port: wants a whole number, not text `eight`",
		`x.yaml:9: listeners[1].tls: needs a certificate`,
		`x.yaml:11: listeners[3].port: 9001 is listeners[2]'s port already`,
		`x.yaml:11: listeners[3].name: "again" is listeners[2]'s name already`,
		`x.yaml:12: listeners[4].websockets: goes with mosquitto: "2.1" alone`,
		`x.yaml:15: users: is empty and allowAnonymous is false`,
		`x.yaml:17: deploy.host: "not a host" is no host name`,
	}
	_, err := Read("x.yaml", []byte(in))
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.Split(err.Error(), "\n")
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("too many: %s", got[i])
		case !strings.HasPrefix(got[i], want[i]):
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"no YAML":        {"a: [", "x.yaml:"},
		"two documents":  {"name: a\n---\nname: b\n", "more than one document"},
		"a list":         {"- a\n", "x.yaml:1"},
		"same key twice": {"name: a\nname: b\n", "already defined"},
		"probes' user":   {"users: [{name: health}]\n", "users[0].name"},
		"ACL":            {"users: [{name: a, acl: ['rw #']}]\n", "users[0].acl[0]"},
		"ACL, # amid":    {"users: [{name: a, acl: ['read #', 'write a/#/b']}]\n", "users[0].acl[1]"},
		"ACL, # behind":  {"users: [{name: a, acl: ['read a#']}]\n", "users[0].acl[0]"},
		"ACL, + behind":  {"users: [{name: a, acl: ['deny a+/b']}]\n", "users[0].acl[0]"},
		"controllers":    {"failover: {controllers: 1}\n", "failover.controllers"},
		"namespace":      {"deploy: {namespace: -iot}\n", "deploy.namespace"},
		"files, no key":  {"tls: {source: files, ca: a, cert: b}\n", "tls.key"},
		"key type":       {"tls: {keyType: dsa}\n", "tls.keyType"},
		"colon in user":  {"users: [{name: 'a:b'}]\n", "users[0].name"},
		"# before user":  {"users: [{name: '#a'}]\n", "users[0].name"},
		"one line":       {"listeners: [{name: word, port: many}]\n", "x.yaml:1: listeners[0].port: wants a whole number, not text"},
		"long value":     {"listeners: [{name: word, port: many and more}]\n", "x.yaml:1: listeners[0].port: wants a whole number, not text"},
		"WebSockets all": {"mosquitto: '2.1'\nlisteners: [{name: a, port: 9001, websockets: true}]\n", "listeners: are for WebSockets all of them"},
		"memory":         {"deploy: {memory: lots}\n", "deploy.memory"},
	} {
		_, err := Read("x.yaml", []byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}

func TestReadTakes(t *testing.T) {
	for _, in := range []string{
		"users: [{name: a, acl: ['read +/a/+', 'deny #', 'readwrite $SYS/#', 'write /', 'read a//b c', 'write +']}]\n",
		"deploy: {namespace: 3scale-iot}\nfailover: {controllers: 2}\n",
	} {
		if _, err := Read("x.yaml", []byte(in)); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestReadOfNothingIsDefault(t *testing.T) {
	for _, in := range []string{"", "# nothing\n", "---\n", "name: mosquitto\n"} {
		got, err := Read("x.yaml", []byte(in))
		if err != nil || !reflect.DeepEqual(got, Default()) {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
}

func TestExampleIsDefault(t *testing.T) {
	got, err := Read("mosqbuild.yaml", Example())
	if err != nil {
		t.Fatal(err)
	}
	// Printed, an empty list and none at all are the same.
	if got, want := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", Default()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// Whatever is commented out must be right too, once it is not.
	all := strings.NewReplacer("# - ", "- ", "#   acl", "  acl").Replace(string(Example()))
	if _, err := Read("mosqbuild.yaml", []byte(all)); err != nil {
		t.Errorf("with the comments taken off: %v", err)
	}
}

func TestServerHosts(t *testing.T) {
	c := Default()
	c.Deploy.Namespace, c.Deploy.Host = "iot", "mqtt.example.com"
	c.TLS.Hosts = []string{"LOCALHOST", "10.0.0.1"}
	want := []string{"localhost", "127.0.0.1", "::1", "mosquitto", "mosquitto-tls",
		"mosquitto-tls.iot", "mosquitto-tls.iot.svc", "mosquitto-tls.iot.svc.cluster.local",
		"mqtt.example.com", "10.0.0.1"}
	if got := c.ServerHosts(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(Example())
	f.Add([]byte("name: [a]\nlisteners: {a: 1}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		cfg, err := Read("x", in)
		var p Problem
		if err == nil && len(cfg.Validate()) > 0 {
			t.Errorf("accepted with %v", cfg.Validate())
		}
		if err != nil && !errors.As(err, &p) {
			t.Errorf("%v is no Problem", err)
		}
	})
}

func TestReadRefusesWhatAProfileCantHave(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"clients' port":        {"deploy: {profile: ha}\nlisteners: [{name: a, port: 20999}]\n", "listeners[0].port: 20999"},
		"clients' beside it":   {"deploy: {profile: ha}\nlisteners: [{name: a, port: 1883}, {name: b, port: 11999}]\n", "21999 beside it"},
		"eleven listeners":     {"deploy: {profile: ha}\nlisteners: [" + strings.Repeat("{name: a, port: 1883}, ", 11) + "]\n", "of at most 10"},
		"a name too long":      {"name: " + strings.Repeat("a", 43) + "\ndeploy: {profile: ha}\n", "label of the StatefulSet"},
		"bridge's port":        {"deploy: {profile: ha}\nlisteners: [{name: a, port: 8884}]\n", "listeners[0].port"},
		"bridge's name":        {"deploy: {profile: ha}\nlisteners: [{name: bridge, port: 1883}]\n", "listeners[0].name"},
		"bridge's user":        {"deploy: {profile: ha}\nusers: [{name: bridge}]\n", "users[0].name"},
		"profile":              {"deploy: {profile: k3s}\n", "deploy.profile"},
		"ingress":              {"deploy: {ingress: nginx}\n", "deploy.ingress"},
		"series":               {"mosquitto: '1.6'\n", "mosquitto"},
		"issuer without":       {"tls: {source: cert-manager}\n", "tls.issuer"},
		"issuer for nothing":   {"tls: {issuer: ca}\n", "tls.issuer"},
		"service-ca elsewhere": {"tls: {source: service-ca}\ndeploy: {profile: loadbalancer}\n", "tls.source"},
		"service-ca, outside":  {"tls: {source: service-ca}\ndeploy: {host: a.example}\n", "deploy.host"},
		"address":              {"deploy: {loadBalancer: {address: here}}\n", "deploy.loadBalancer.address"},
		"size":                 {"deploy: {storage: {size: much}}\n", "deploy.storage.size"},
		"uid":                  {"deploy: {user: -1}\n", "deploy.user"},
	} {
		_, err := Read("x.yaml", []byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
	if _, err := Read("x.yaml", []byte("listeners: [{name: bridge, port: 8884}]\nusers: [{name: bridge}]\n")); err != nil {
		t.Errorf("reserved without a bridge: %v", err)
	}
}

func TestHostsOfProfiles(t *testing.T) {
	c := Default()
	c.Deploy = Deploy{Profile: ProfileLoadBalancer, Namespace: "iot", Host: "mqtt.example.com", LoadBalancer: LoadBalancer{Address: "192.0.2.7"}}
	want := []string{"localhost", "127.0.0.1", "::1", "mosquitto", "mosquitto.iot", "mosquitto.iot.svc", "mosquitto.iot.svc.cluster.local",
		"mqtt.example.com", "192.0.2.7"}
	if got := c.ServerHosts(); !reflect.DeepEqual(got, want) {
		t.Errorf("loadbalancer: %q", got)
	}
	c.Deploy = Deploy{Profile: ProfileHA, Ingress: IngressRoute, Host: "mqtt.example.com"}
	want = []string{"localhost", "127.0.0.1", "::1", "mosquitto", "mosquitto-primary", "mosquitto-secondary",
		"mqtt.example.com", "mqtt-primary.example.com", "mqtt-secondary.example.com"}
	if got := c.ServerHosts(); !reflect.DeepEqual(got, want) {
		t.Errorf("ha: %q", got)
	}
}

func TestIDs(t *testing.T) {
	for _, c := range []struct {
		in          Deploy
		user, group int
	}{
		{Deploy{Profile: ProfileOpenShift}, 0, 0},
		{Deploy{Profile: ProfileOpenShift, User: 7, Group: 8}, 7, 8},
		{Deploy{Profile: ProfileLoadBalancer}, 568, 568},
		{Deploy{Profile: ProfileLoadBalancer, User: 7}, 7, 568},
		{Deploy{Profile: ProfileHA, Ingress: IngressTraefik}, 568, 568},
		{Deploy{Profile: ProfileHA, Ingress: IngressRoute}, 0, 0},
	} {
		if user, group := c.in.IDs(); user != c.user || group != c.group {
			t.Errorf("%+v: %d:%d", c.in, user, group)
		}
	}
}
