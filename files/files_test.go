package files

import (
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/certs"
	"github.com/mosqbuild/mosqbuild/config"
)

func rendered(t *testing.T, cfg config.Config, s Secrets, path string) string {
	t.Helper()
	b, err := Render(cfg, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(b.Rendered, b.Defaults) {
		if f.Path == path {
			return string(f.Data)
		}
	}
	t.Fatalf("no %s", path)
	return ""
}

func TestConfNamesEveryListenerOnce(t *testing.T) {
	conf := rendered(t, config.Default(), Secrets{}, "/mosquitto/config/mosquitto.conf")
	for _, line := range []string{"listener 1883", "listener 8883", "certfile /mosquitto/certs/tls.crt", "keyfile /mosquitto/certs/tls.key",
		"allow_anonymous false", "password_file /mosquitto/auth/passwd", "acl_file /mosquitto/config/acl", "persistence_location /mosquitto/data"} {
		if n := strings.Count(conf, "\n"+line+"\n"); n != 1 {
			t.Errorf("%d times %q in\n%s", n, line, conf)
		}
	}
	if plain, tls, _ := strings.Cut(conf, "listener 8883"); strings.Contains(plain, "certfile") || !strings.Contains(tls, "certfile") {
		t.Errorf("the certificate belongs to the second listener:\n%s", conf)
	}
}

// A listener for WebSockets says so behind its own port, and so does a pair's direct one.
func TestConfOfWebSockets(t *testing.T) {
	cfg := config.Default()
	cfg.Mosquitto, cfg.Deploy.Profile = "2.1", config.ProfileHA
	cfg.Listeners = append([]config.Listener{{Name: "wss", Port: 9443, TLS: true, WebSockets: true}}, cfg.Listeners...)
	b, err := Render(cfg, Secrets{})
	if err != nil {
		t.Fatal(err)
	}
	for name, all := range map[string]struct {
		files []File
		want  []string
	}{
		"one broker": {b.Rendered, []string{"9443"}},
		"primary":    {b.Primary, []string{"9443", "19443"}},
		"secondary":  {b.Secondary, []string{"9443", "19443"}},
	} {
		i := slices.IndexFunc(all.files, func(f File) bool { return strings.HasSuffix(f.Path, "/"+config.ConfFile) })
		var got []string
		for _, section := range strings.Split(string(all.files[i].Data), "\nlistener ")[1:] {
			if port, rest, _ := strings.Cut(section, "\n"); strings.Contains(rest, "protocol websockets\ncertfile ") {
				got = append(got, port)
			}
		}
		if !slices.Equal(got, all.want) {
			t.Errorf("%s has WebSockets at %q, want %q", name, got, all.want)
		}
	}
}

func TestACL(t *testing.T) {
	cfg := config.Default()
	cfg.Users = append(cfg.Users, config.User{Name: "sensor", ACL: []string{"write sensors/#"}})
	acl := rendered(t, cfg, Secrets{Passwd: []byte("health:$6$a\nadmin:$6$a\nlate:$6$a\n")}, "/mosquitto/config/acl")
	want := `# Probes log in as this user.
user health
topic read $SYS/broker/version

user admin
topic readwrite #
topic read $SYS/#

user sensor
topic write sensors/#

user late
topic readwrite #
topic read $SYS/#
`
	if acl != want {
		t.Errorf("got\n%s", acl)
	}
	cfg.AllowAnonymous = true
	if acl := rendered(t, cfg, Secrets{}, "/mosquitto/config/acl"); !strings.HasPrefix(acl, "topic readwrite #\n") {
		t.Errorf("anonymous clients' access must stand before any user's:\n%s", acl)
	}
}

func TestOnlyDefaultsAreSecret(t *testing.T) {
	b, err := Render(config.Default(), Secrets{CA: []byte("ca"), Cert: []byte("cert"), Key: []byte("KEY"), Passwd: []byte("admin:HASH\n"), Health: []byte("LOGIN")})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range b.Rendered {
		for _, secret := range []string{"KEY", "HASH", "LOGIN"} {
			if strings.Contains(string(f.Data), secret) {
				t.Errorf("%s holds %s", f.Path, secret)
			}
		}
	}
	open := map[string]bool{"/mosquitto/certs/ca.crt": true, "/mosquitto/certs/tls.crt": true}
	for _, f := range b.Defaults {
		if f.Mode&0o007 != 0 && !open[f.Path] {
			t.Errorf("others can read %s: %v", f.Path, f.Mode)
		}
	}
	if len(b.Defaults) != 5 {
		t.Errorf("%d defaults", len(b.Defaults))
	}
}

// lines returns which of these lines conf has.
func lines(conf string, all ...string) (have []string) {
	for _, line := range all {
		if strings.Contains(conf, "\n"+line+"\n") {
			have = append(have, line)
		}
	}
	return have
}

func TestConfOfSeries(t *testing.T) {
	old := []string{"per_listener_settings false", "password_file /mosquitto/auth/passwd", "acl_file /mosquitto/config/acl"}
	plugins := []string{"global_plugin /usr/lib/mosquitto_password_file.so", "plugin_opt_password_file /mosquitto/auth/passwd",
		"global_plugin /usr/lib/mosquitto_acl_file.so", "plugin_opt_acl_file /mosquitto/config/acl"}
	for series, want := range map[string][]string{"2.0": old, "2.1": plugins} {
		cfg := config.Default()
		cfg.Mosquitto = series
		conf := rendered(t, cfg, Secrets{}, "/mosquitto/config/mosquitto.conf")
		if have := lines(conf, slices.Concat(old, plugins)...); !slices.Equal(have, want) {
			t.Errorf("%s has %q", series, have)
		}
	}
}

// The bridge is on one side only, and what is secret in it in files alone.
func TestConfOfPair(t *testing.T) {
	cfg := config.Default()
	cfg.Deploy.Profile = config.ProfileHA
	pair := certs.Pair{Cert: []byte("CERT"), Key: []byte("KEY")}
	b, err := Render(cfg, Secrets{Bridge: Bridge{CA: []byte("CA"), Server: pair, Client: pair}})
	if err != nil {
		t.Fatal(err)
	}
	primary, secondary := string(b.Primary[0].Data), string(b.Secondary[0].Data)
	server := []string{"listener 8884", "require_certificate true", "use_identity_as_username true", "cafile /mosquitto/bridge/ca.crt"}
	client := []string{"connection mosquitto-primary", "address 127.0.0.1:8885", "topic # both 1", "cleansession true", "try_private true",
		"bridge_insecure false", "bridge_cafile /mosquitto/bridge/ca.crt", "bridge_certfile /mosquitto/bridge/tls.crt", "bridge_keyfile /mosquitto/bridge/tls.key",
		"notifications_local_only true", "keepalive_interval 5"}
	for name, c := range map[string]struct {
		conf string
		want []string
	}{
		"primary": {primary, server}, "secondary": {secondary, client}, "image": {string(b.Rendered[1].Data), nil},
	} {
		if have := lines(c.conf, slices.Concat(server, client)...); !slices.Equal(have, c.want) {
			t.Errorf("the %s has %q", name, have)
		}
		if strings.Contains(c.conf, "KEY") || strings.Contains(c.conf, "\nremote_password") {
			t.Errorf("the %s holds a secret", name)
		}
		if saves := len(lines(c.conf, "persistence true")) == 1; saves != (name == "image") {
			t.Errorf("the %s keeps what it has: %v", name, saves)
		}
	}
	for _, f := range slices.Concat(b.Primary, b.Secondary) {
		if strings.HasSuffix(f.Path, ".key") && f.Mode&0o007 != 0 {
			t.Errorf("others can read %s", f.Path)
		}
	}
	acl := rendered(t, cfg, Secrets{}, "/mosquitto/config/acl")
	if !strings.Contains(acl, "\nuser bridge\ntopic readwrite #\n\n") {
		t.Errorf("the bridge may do something else:\n%s", acl)
	}
	cfg.Deploy.Storage.Size = "1Gi"
	if b, err = Render(cfg, Secrets{}); err != nil || len(lines(string(b.Primary[0].Data), "persistence true")) != 1 {
		t.Errorf("with a volume, nothing is kept: %v", err)
	}
}
