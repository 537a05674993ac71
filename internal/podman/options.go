package podman

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Loopback is the address on which ports are published.
const Loopback = "127.0.0.1"

// Options say what to run.
type Options struct {
	// Image is a name or an ID in podman's storage; it is never pulled.
	Image string
	// Name is the container's. It must be free.
	Name string
	// User is "UID" or "UID:GID", in numbers; without GID it is 0. Another
	// GID has 0 added as a further group: the image's files are group 0's.
	User string
	// Ports are published.
	Ports []Port
}

// Port publishes the container's port on a port of Loopback.
type Port struct{ Host, Container int }

// free returns an error with a hint where somebody has the port.
func (p Port) free(ctx context.Context) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", net.JoinHostPort(Loopback, strconv.Itoa(p.Host)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fault.Hint(fmt.Errorf("port %d is taken: %w", p.Host, err), "stop what listens there, or give another --port or --tls-port")
	}
	if err != nil {
		return err
	}
	return l.Close()
}

// arguments are podman's for what a restricted pod is, and more of them.
func (o Options) arguments(more ...string) []string {
	uid, gid, _ := strings.Cut(o.User, ":")
	args := append([]string{"run"}, more...)
	if gid == "" {
		gid = "0"
	}
	if gid != "0" {
		args = append(args, "--group-add", "0")
	}
	args = append(args, "--rm", "--pull=never", "--name", o.Name, "--user", uid+":"+gid,
		"--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges",
		"--tmpfs", config.DataDir+":rw,size=64m,mode=0770")
	for _, p := range o.Ports {
		args = append(args, "--publish", fmt.Sprintf("%s:%d:%d", Loopback, p.Host, p.Container))
	}
	return append(args, o.Image)
}

// CheckUser returns an error unless user is what Options.User asks for.
func CheckUser(user string) error {
	uid, gid, found := strings.Cut(user, ":")
	if !found {
		gid = "0"
	}
	for _, id := range []string{uid, gid} {
		if _, err := strconv.ParseUint(id, 10, 31); err != nil {
			return fmt.Errorf("user %q is not UID or UID:GID, in numbers up to 2147483647", user)
		}
	}
	return nil
}

// RandomUID returns a uid that no image knows: one such as OpenShift gives a
// namespace, or, without root, one that fits the 65536 a user usually has.
func RandomUID(rand io.Reader, root bool) (string, error) {
	var b [4]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("choosing a uid: %w", err)
	}
	n := int(binary.BigEndian.Uint32(b[:]))
	if root {
		return strconv.Itoa(1_000_000_000 + n%100_000*10_000), nil
	}
	return strconv.Itoa(20_000 + n%40_000), nil
}
