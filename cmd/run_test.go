package cmd

import (
	"slices"
	"testing"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/podman"
)

func TestContainer(t *testing.T) {
	cfg := config.Default()
	cfg.Listeners = append(cfg.Listeners, config.Listener{Name: "second", Port: 1884})
	c, err := runOptions{Port: 11883, TLSPort: -1, User: "7:7"}.container(cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := []podman.Port{{Host: 11883, Container: 1883}, {Host: 8883, Container: 8883}, {Host: 1884, Container: 1884}}
	if !slices.Equal(c.Ports, want) || c.Name != cfg.Name || c.Image != "localhost/mosquitto:latest" || c.User != "7:7" {
		t.Errorf("it would run %+v, want ports %v", c, want)
	}
	if plain, tls := published(cfg, c, false), published(cfg, c, true); plain != 11883 || tls != 8883 {
		t.Errorf("the listeners are at %d and %d", plain, tls)
	}
	cfg.Listeners = cfg.Listeners[:1]
	if tls := published(cfg, c, true); tls != 0 {
		t.Errorf("no listener has TLS, but one is at %d", tls)
	}
	a, errA := runOptions{Port: -1, TLSPort: -1, Name: "x"}.container(cfg)
	b, errB := runOptions{Port: -1, TLSPort: -1}.container(cfg)
	if errA != nil || errB != nil || a.User == b.User || podman.CheckUser(a.User) != nil || a.Name != "x" {
		t.Errorf("two containers, %+v and %+v: %v, %v", a, b, errA, errB)
	}
	for _, o := range []runOptions{{Port: 0, TLSPort: -1}, {Port: 65536, TLSPort: -1}, {Port: -1, TLSPort: -1, User: "me"}} {
		if _, err := o.container(cfg); fault.CodeOf(err) != fault.Usage {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
