package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pushOneChange pushes an image of ten packages after one file in it, the
// broker's configuration, has changed, to a docker-registry on loopback that has
// the image of before. The peer is "skopeo copy" of that same image. Building
// it is not timed.
func pushOneChange(ctx context.Context, w *workspace) (result, error) {
	skopeo, err := program("skopeo")
	if err != nil {
		return result{}, err
	}
	host, err := w.startRegistry(ctx)
	if err != nil {
		return result{}, err
	}
	s, err := w.scale(ctx)
	if err != nil {
		return result{}, err
	}
	at, err := s.site("scale-push", partNames(10), nil)
	if err != nil {
		return result{}, err
	}
	port := 20000
	changed := func(push func() *exec.Cmd) contender {
		return func(ctx context.Context) (sample, error) {
			port++
			if err := at.configure(fmt.Sprintf("listeners: [{name: mqtt, port: %d}]\n", port)); err != nil {
				return sample{}, err
			}
			if _, err := output(at.buildCommand(ctx)); err != nil {
				return sample{}, err
			}
			return timed(push())
		}
	}
	return w.race(ctx, w.pairs,
		changed(func() *exec.Cmd {
			return at.command(ctx, "image", "push", host+"/ours/mosquitto:latest", "--tls-verify=false")
		}),
		changed(func() *exec.Cmd {
			return exec.CommandContext(ctx, skopeo, "copy", "--quiet", "--dest-tls-verify=false",
				"oci:"+filepath.Join(at.dir, ".mosqbuild", "image"), "docker://"+host+"/skopeo/mosquitto:latest")
		}))
}

// startRegistry starts docker-registry until the run ends, and returns its
// HOST:PORT.
func (w *workspace) startRegistry(ctx context.Context) (string, error) {
	registry, err := program("docker-registry")
	if err != nil {
		return "", err
	}
	dir, err := w.folder("registry")
	if err != nil {
		return "", err
	}
	ports, err := freePorts(1)
	if err != nil {
		return "", err
	}
	host := fmt.Sprintf("127.0.0.1:%d", ports[0])
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n", dir+"/data", host)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return "", err
	}
	var said strings.Builder
	c := exec.CommandContext(ctx, registry, "serve", config)
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		return "", err
	}
	w.cleanup = append(w.cleanup, func() error {
		_, _ = c.Process.Kill(), c.Wait() // killed, by this line
		return nil
	})
	for range 100 {
		if conn, err := net.Dial("tcp", host); err == nil {
			return host, conn.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "", fmt.Errorf("docker-registry doesn't answer at %s", host)
}
