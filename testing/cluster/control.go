package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// buildHelpers builds the cluster's own small programs.
func (c *Cluster) buildHelpers(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", c.path("bin")+"/", thisPackage+"/pause", thisPackage+"/inside")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := output(cmd); err != nil {
		return fmt.Errorf("building the cluster's own programs: %w", err)
	}
	return nil
}

// watch has another process take the cluster down when this one ends.
func (c *Cluster) watch() error {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	cmd := exec.Command(c.path("bin", "inside"), "watch", c.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdin = theirs
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the watch: %w", err)
	}
	c.owner = ours // it ends with this process
	go cmd.Wait()
	return nil
}

// control are the addresses of the control plane's programs.
type control struct {
	bind, advertise                       string
	api, etcd, peers, manager, scheduling int
}

// outsideControl are those where there are nodes.
var outsideControl = control{"0.0.0.0", outsideIP, apiPort, 2379, 2380, 10257, 10259}

// startControl starts the control plane and returns when it answers: in a place
// of its own, or, where there are no nodes for lack of privileges, on loopback.
func (c *Cluster) startControl(ctx context.Context) error {
	if err := os.MkdirAll(c.path(Outside), 0o755); err != nil {
		return fmt.Errorf("making the control plane's folder: %w", err)
	}
	a := outsideControl
	if os.Geteuid() != 0 || c.Reason != "" {
		ports, err := freePorts(5)
		if err != nil {
			return err
		}
		a = control{"127.0.0.1", "127.0.0.1", ports[0], ports[1], ports[2], ports[3], ports[4]}
		c.setPlace(place{name: Outside})
		c.Server = "https://127.0.0.1:" + strconv.Itoa(a.api)
	} else if err := c.outside(ctx); err != nil {
		return err
	}
	if err := c.credentials(fmt.Sprintf("https://%s:%d", a.advertise, a.api)); err != nil {
		return err
	}
	p := c.place(Outside)
	err := errors.Join(
		c.daemon(p, "etcd", c.etcd(a)...),
		c.daemon(p, "kube-apiserver", c.apiserver(a)...),
	)
	if err != nil {
		return err
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	return errors.Join(
		c.daemon(p, "kube-controller-manager", c.manager(a)...),
		c.daemon(p, "kube-scheduler", c.scheduler(a)...),
	)
}

// outside makes the place of the control plane, with a door on the machine's
// loopback address and the resolver of the cluster.
func (c *Cluster) outside(ctx context.Context) error {
	if err := os.WriteFile(c.path(Outside, "resolv.conf"), []byte("nameserver "+outsideIP+"\n"), 0o644); err != nil {
		return err
	}
	p, err := c.newPlace(ctx, Outside, c.resolver())
	if err != nil {
		return err
	}
	if err := errors.Join(c.bridge(ctx), p.forward(ctx)); err != nil {
		return err
	}
	// A socket stays in the network it was made in.
	door, err := loopback()
	if err != nil {
		return err
	}
	defer door.Close()
	file, err := door.File()
	if err != nil {
		return err
	}
	defer file.Close()
	c.Server = fmt.Sprintf("https://127.0.0.1:%d", door.Addr().(*net.TCPAddr).Port)
	return c.daemonFiles(p, "door", []*os.File{file}, c.path("bin", "inside"), "door", net.JoinHostPort(outsideIP, strconv.Itoa(apiPort)))
}

// resolver has a place use the cluster's resolver.
func (c *Cluster) resolver() string { return c.path(Outside, "resolv.conf") + "=/etc/resolv.conf" }

func (c *Cluster) program(name string) string { return filepath.Join(c.Binaries, name) }

func (c *Cluster) etcd(a control) []string {
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", a.etcd), fmt.Sprintf("http://127.0.0.1:%d", a.peers)
	return []string{c.program("etcd"), "--data-dir", c.path(Outside, "etcd"),
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=" + peer,
		"--unsafe-no-fsync", // it won't outlive the machine
	}
}

func (c *Cluster) apiserver(a control) []string {
	file := func(name string) string { return c.path(Outside, name) }
	return []string{c.program("kube-apiserver"),
		"--etcd-servers", fmt.Sprintf("http://127.0.0.1:%d", a.etcd),
		"--bind-address", a.bind, "--advertise-address", a.advertise, "--secure-port", strconv.Itoa(a.api),
		"--tls-cert-file", file("server.crt"), "--tls-private-key-file", file("server.key"), "--cert-dir", file("certs"),
		"--client-ca-file", file("ca.crt"), "--token-auth-file", file("tokens.csv"),
		"--service-account-key-file", file("accounts.crt"), "--service-account-signing-key-file", file("accounts.key"),
		"--service-account-issuer", "https://kubernetes.default.svc",
		"--service-cluster-ip-range", serviceNet, "--authorization-mode", "Node,RBAC", "--allow-privileged",
		// Names of nodes resolve nowhere.
		"--kubelet-preferred-address-types", "InternalIP", "--endpoint-reconciler-type", "lease",
	}
}

func (c *Cluster) manager(a control) []string {
	args := []string{c.program("kube-controller-manager"), "--kubeconfig", c.kubeconfigOf("kube-controller-manager"),
		"--service-account-private-key-file", c.path(Outside, "accounts.key"), "--root-ca-file", c.path(Outside, "ca.crt"),
		"--use-service-account-credentials", "--leader-elect=false",
		"--bind-address", "127.0.0.1", "--secure-port", strconv.Itoa(a.manager), "--cert-dir", c.path(Outside, "certs"),
		"--cluster-cidr", podCIDR, "--allocate-node-cidrs=false"}
	if c.grace > 0 {
		args = append(args, "--node-monitor-grace-period", c.grace.String(), "--node-monitor-period", (c.grace / 5).String())
	}
	return args
}

func (c *Cluster) scheduler(a control) []string {
	kubeconfig := c.kubeconfigOf("kube-scheduler")
	return []string{c.program("kube-scheduler"), "--kubeconfig", kubeconfig, "--leader-elect=false",
		"--bind-address", "127.0.0.1", "--secure-port", strconv.Itoa(a.scheduling), "--cert-dir", c.path(Outside, "certs"),
		"--authentication-kubeconfig", kubeconfig, "--authorization-kubeconfig", kubeconfig}
}

// ready waits for the API server.
func (c *Cluster) ready(ctx context.Context) error {
	ca, err := os.ReadFile(c.path(Outside, "ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	return c.poll(ctx, "the API server to answer", func() (bool, error) {
		if err := c.alive(c.place(Outside), "etcd", "kube-apiserver"); err != nil {
			return false, err
		}
		r, err := client.Get(c.Server + "/readyz") // open to anybody
		if err != nil {
			return false, nil
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK, nil
	})
}

// waitLimit bounds each wait while a cluster comes up.
const waitLimit = 3 * time.Minute

// poll asks done until it says so, or fails.
func (c *Cluster) poll(ctx context.Context, what string, done func() (bool, error)) error {
	return c.pollFor(ctx, waitLimit, what, done)
}

func (c *Cluster) pollFor(ctx context.Context, limit time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Kubectl runs kubectl as an administrator with the objects given, if any, on
// its stdin, and returns what it prints.
func (c *Cluster) Kubectl(ctx context.Context, objects string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.program("kubectl"), append([]string{"--kubeconfig", c.Kubeconfig(), "--cache-dir", c.path("kubectl")}, args...)...)
	cmd.Stdin = strings.NewReader(objects)
	out, err := output(cmd)
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return out, err
}
