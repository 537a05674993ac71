package cmd

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/podman"
	"github.com/mosqbuild/mosqbuild/internal/probe"
)

// startTime bounds a broker's start, which takes milliseconds on a machine
// with nothing else to do.
const startTime = 30 * time.Second

// container says what to run under podman.
func (o runOptions) container(cfg config.Config) (c podman.Options, err error) {
	c = podman.Options{Image: localName(cfg), Name: cmp.Or(o.Name, cfg.Name), User: o.User}
	if c.User == "" {
		if c.User, err = podman.RandomUID(rand.Reader, os.Geteuid() == 0); err != nil {
			return c, err
		}
	}
	if err := podman.CheckUser(c.User); err != nil {
		return c, fault.With(fault.Usage, err)
	}
	given := map[bool]int{false: o.Port, true: o.TLSPort}
	for _, l := range cfg.Listeners {
		port := podman.Port{Host: l.Port, Container: l.Port}
		if first, _ := cfg.Listener(l.TLS); first == l && given[l.TLS] >= 0 {
			port.Host = given[l.TLS]
		}
		if port.Host < 1 || port.Host > 65535 {
			return c, fault.With(fault.Usage, fmt.Errorf("port %d is not between 1 and 65535", port.Host))
		}
		c.Ports = append(c.Ports, port)
	}
	return c, nil
}

// load puts the image last built, or one built anew, into podman's storage, of
// an index this machine's.
func (a *app) load(ctx context.Context, o runOptions) error {
	b, err := a.image(ctx, component{}, o.build, !o.rebuild)
	if err != nil {
		return err
	}
	img, err := hosts(b.Image)
	if err != nil {
		return err
	}
	return image.Write(ctx, img, image.Output{Format: image.FormatPodman}, b.Name)
}

// start runs the container in the background and prints its ID once the broker
// answers.
func (a *app) start(ctx context.Context, cfg config.Config, c podman.Options) error {
	id, err := podman.Start(ctx, c)
	if err != nil {
		return err
	}
	if err := wait(ctx, cfg, c); err != nil {
		return fault.With(fault.Unreachable, err)
	}
	a.tryOut(cfg, c)
	_, err = fmt.Fprintln(a.Out, id)
	return err
}

// wait waits for the broker's listeners, as long as its container is there.
func wait(ctx context.Context, cfg config.Config, c podman.Options) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	gone := make(chan bool, 1)
	go func() {
		is := podman.Gone(ctx, c.Name)
		cancel()
		gone <- is
	}()
	err := probe.Wait(ctx, probe.Options{Host: podman.Loopback, Port: published(cfg, c, false), TLSPort: published(cfg, c, true)})
	cancel()
	switch is := <-gone; {
	case err == nil:
		return nil
	case is:
		return fault.Hint(fmt.Errorf("the broker in container %q ended at its start", c.Name), "to see why, run it without --detach")
	}
	return fault.Hint(err, "see: podman logs %s; end it with: podman rm -f %[1]s", c.Name)
}

// published is the port of the first listener with or without TLS, 0 for none.
func published(cfg config.Config, c podman.Options, tls bool) int {
	l, ok := cfg.Listener(tls)
	for _, p := range c.Ports {
		if ok && p.Container == l.Port {
			return p.Host
		}
	}
	return 0
}

// tryOut tells how to use the broker.
func (a *app) tryOut(cfg config.Config, c podman.Options) {
	a.progress("the broker runs as %s; to try it:", c.User)
	client := fmt.Sprintf("  XDG_CONFIG_HOME=%s mosquitto_sub", a.state().Client())
	if port := published(cfg, c, false); port != 0 {
		a.progress("%s -p %d -t '#' -v", client, port)
	}
	if port := published(cfg, c, true); port != 0 {
		a.progress("%s -p %d --cafile %s -t '#' -v", client, port, a.caFile(cfg))
	}
}
