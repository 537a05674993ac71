package files

import (
	"slices"
	"strings"
	"testing"

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
