package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/state"
)

// overWebSockets has the first user of the state in dir log in at url, where a
// wrong password is refused, and receive what it publishes.
func overWebSockets(t *testing.T, dir, url string) {
	t.Helper()
	own := state.Dir{Path: filepath.Join(dir, state.DirName)}
	password, err := own.Login("admin")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(read(t, own.Path, "certs", config.CAFile))) {
		t.Fatal("no CA")
	}
	connect := func(password string) (mqtt.Client, error) {
		o := mqtt.NewClientOptions().AddBroker(url).SetUsername("admin").SetPassword(password).SetTLSConfig(&tls.Config{RootCAs: roots})
		c := mqtt.NewClient(o.SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(20 * time.Second))
		return c, done(c.Connect())
	}
	if _, err := connect("wrong"); err == nil || !strings.Contains(strings.ToLower(err.Error()), "not author") {
		t.Errorf("%s, with a wrong password: %v", url, err)
	}
	c, err := connect(string(password))
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	defer c.Disconnect(0)
	got, payload := make(chan string, 1), strings.Repeat("over WebSockets ", 5000) // longer than one frame's short lengths
	if err := done(c.Subscribe("web/+", 1, func(_ mqtt.Client, m mqtt.Message) { got <- m.Topic() + string(m.Payload()) })); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	if err := done(c.Publish("web/a", 1, false, payload)); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	select {
	case m := <-got:
		if m != "web/a"+payload {
			t.Errorf("%s: %d bytes arrived, %.40q…", url, len(m), m)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("%s: nothing arrived", url)
	}
}

// done waits for an answer of the broker's.
func done(token mqtt.Token) error {
	if !token.WaitTimeout(20 * time.Second) {
		return os.ErrDeadlineExceeded
	}
	return token.Error()
}

// dynamicSecurity has the broker below root, run by the command line that starts
// with how, load that plugin in place of those that serve's configuration names.
func dynamicSecurity(t *testing.T, dir, root string, how ...string) {
	t.Helper()
	ctl := func(args ...string) result {
		args = slices.Concat(how[1:], []string{filepath.Join(root, "usr/bin/mosquitto_ctrl")}, args)
		return try(t, dir, nil, how[0], args...)
	}
	kept, port := filepath.Join(root, config.DataDir, "dynsec.json"), freePort(t)
	if r := ctl("dynsec", "init", kept, "keeper", "a password"); r.code != 0 {
		t.Fatalf("mosquitto_ctrl dynsec init: exit %d\n%s%s", r.code, r.out, r.err)
	}
	conf := "listener " + port + " 127.0.0.1\nallow_anonymous false\n" +
		"global_plugin " + root + config.PluginDir + "/mosquitto_dynamic_security.so\nplugin_opt_config_file " + kept + "\n"
	if os.Getuid() == 0 {
		conf = "user root\n" + conf
	}
	file := write(t, filepath.Join(dir, "dynsec.conf"), conf)
	args := slices.Concat(how[1:], []string{filepath.Join(root, config.BrokerPath), "-c", file})
	log := start(t, root, how[0], args...)
	listening(t, port)
	as := func(user, password string, args ...string) result {
		return ctl(append([]string{"-h", "127.0.0.1", "-p", port, "-u", user, "-P", password, "dynsec"}, args...)...)
	}
	if r := as("keeper", "a password", "createClient", "sensor", "-p", "another"); r.code != 0 {
		t.Errorf("createClient: exit %d\n%s%s\n%s", r.code, r.out, r.err, read(t, log))
	}
	if r := as("keeper", "a password", "listClients"); r.code != 0 || r.out != "keeper\nsensor" {
		t.Errorf("listClients: exit %d\n%s%s\n%s", r.code, r.out, r.err, read(t, log))
	}
	if r := as("keeper", "wrong", "listClients"); !strings.Contains(r.err, "Not authorized") || r.out != "" {
		t.Errorf("listClients with a wrong password: exit %d\n%s%s", r.code, r.out, r.err)
	}
}
