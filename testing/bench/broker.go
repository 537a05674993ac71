package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/image"
)

// starts is how often each broker is started.
const starts = 12

// brokerStart compares the broker in the image, in its own root and with its
// own configuration and credentials, with Debian's broker and that same
// configuration: both listeners, the password file, the ACL, no persistence
// file to load. Both run as 1883:0, without a container around them.
func brokerStart(ctx context.Context, w *workspace) (result, error) {
	debian, err := program("mosquitto")
	if err != nil {
		return result{}, err
	}
	if os.Getuid() != 0 {
		return result{}, leftOut("not root, which running the broker in a root of its own needs")
	}
	b, err := w.newBroker(ctx)
	if err != nil {
		return result{}, err
	}
	theirs, err := b.debianConfig()
	if err != nil {
		return result{}, err
	}
	return w.race(ctx, max(starts, w.pairs),
		b.start(b.root, "/usr/sbin/mosquitto", config.ConfigDir+"/mosquitto.conf"), b.start("", debian, theirs))
}

// broker is an image unpacked.
type broker struct {
	root     string
	address  string // of the listener without TLS
	password []byte // of user admin
}

// newBroker builds an image whose listeners are on free ports, and unpacks it.
func (w *workspace) newBroker(ctx context.Context) (*broker, error) {
	dir, err := w.folder("broker")
	if err != nil {
		return nil, err
	}
	b := &broker{root: filepath.Join(dir, "root")}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	b.address = fmt.Sprintf("127.0.0.1:%d", ports[0])
	conf := fmt.Sprintf("listeners:\n- name: mqtt\n  port: %d\n- name: mqtts\n  port: %d\n  tls: true\n", ports[0], ports[1])
	if err := os.WriteFile(filepath.Join(dir, "mosqbuild.yaml"), []byte(conf), 0o600); err != nil {
		return nil, err
	}
	if _, err := output(w.ourBuildCommand(ctx, dir, filepath.Join(w.dir, "ours-cache"))); err != nil {
		return nil, err
	}
	state := filepath.Join(dir, ".mosqbuild")
	if b.password, err = os.ReadFile(filepath.Join(state, "password")); err != nil {
		return nil, err
	}
	b.password = bytes.TrimSpace(b.password)
	return b, unpack(filepath.Join(state, "image"), b.root)
}

// debianConfig writes the image's configuration with its paths as the machine
// sees them.
func (b *broker) debianConfig() (path string, err error) {
	conf, err := os.ReadFile(filepath.Join(b.root, config.ConfigDir, "mosquitto.conf"))
	if err != nil {
		return "", err
	}
	path = filepath.Join(filepath.Dir(b.root), "debian.conf")
	conf = bytes.ReplaceAll(conf, []byte(" /mosquitto/"), []byte(" "+b.root+"/mosquitto/"))
	return path, os.WriteFile(path, conf, 0o644) //nolint:gosec // the broker's user reads it
}

// start returns a contender that times from exec to CONNACK, and then kills the
// broker, which so leaves no persistence file.
func (b *broker) start(root, name, conf string) contender {
	return func(ctx context.Context) (sample, error) {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		var said bytes.Buffer
		c := exec.CommandContext(ctx, name, "-c", conf)
		c.Dir, c.Stdout, c.Stderr = "/", &said, &said
		c.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 1883, Gid: 0}, Pdeathsig: syscall.SIGKILL}
		begin := time.Now()
		if err := c.Start(); err != nil {
			return sample{}, err
		}
		err := connectUntil(ctx, b.address, "admin", b.password)
		took := time.Since(begin)
		cancel()
		_ = c.Wait() // killed, by the line above
		if err != nil {
			return sample{}, fmt.Errorf("waiting for %s to answer: %w\n%s", name, err, said.String())
		}
		return sample{wall: took}, nil
	}
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// unpack lays the image's layers over one another in dir.
func unpack(layout, dir string) error {
	img, err := image.Open(layout)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // the broker's user reads in it
		return err
	}
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			return err
		}
		if err := errors.Join(unpackLayer(r, dir), r.Close()); err != nil {
			return err
		}
	}
	return nil
}

func unpackLayer(r io.Reader, dir string) error {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.Clean("/"+h.Name)) // an image of our own: its links lead nowhere else
		switch mode := h.FileInfo().Mode(); h.Typeflag {
		case tar.TypeDir:
			if err = os.MkdirAll(path, 0o755); err == nil { //nolint:gosec // the mode follows
				err = os.Chmod(path, mode.Perm())
			}
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, path)
		case tar.TypeReg:
			err = writeFile(path, tr, mode.Perm())
		default:
			err = fmt.Errorf("entry %q is of kind %q", h.Name, h.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}

func writeFile(path string, r io.Reader, mode os.FileMode) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Chmod(mode), f.Close())
}
