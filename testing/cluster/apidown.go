package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/testing/cluster/machine"
)

// apiServer is the API server's name among the programs.
const apiServer = "kube-apiserver"

// StopAPI kills the API server, as by SIGKILL; its store stays. The error is
// ErrNoNodes where it runs on the machine's own loopback.
func (c *Cluster) StopAPI(ctx context.Context) error {
	p := c.place(Outside)
	if p.pid == 0 {
		return fmt.Errorf("stopping the API server: %w", ErrNoNodes)
	}
	var killed []int
	for _, door := range c.record.Named(apiServer + " " + Outside) {
		killed = append(killed, children(door)...)
	}
	if len(killed) == 0 {
		return errors.New("stopping the API server: it doesn't run")
	}
	for _, pid := range killed {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			return fmt.Errorf("stopping the API server: %w", err)
		}
	}
	return c.poll(ctx, "the API server's end", func() (bool, error) {
		return !c.running(apiServer + " " + Outside), nil
	})
}

// StartAPI starts the API server that StopAPI killed, and returns when it
// answers.
func (c *Cluster) StartAPI(ctx context.Context) error {
	if err := c.daemon(c.place(Outside), apiServer, c.apiserver(outsideControl)...); err != nil {
		return err
	}
	return c.ready(ctx)
}

// heard is a Service that leads to heardAt: kube-proxy watches Services and
// EndpointSlices each by itself, and may hear of either alone.
const (
	heard = `
{apiVersion: v1, kind: Service, metadata: {name: heard, namespace: default}, spec: {ports: [{port: 1}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice,
  metadata: {name: heard, namespace: default, labels: {kubernetes.io/service-name: heard}},
  addressType: IPv4, endpoints: [{addresses: [` + heardAt + `]}], ports: [{name: "", port: 1}]}
`
	heardAt = "192.0.2.1"
	// managed has a selector, of nothing: its EndpointSlice, without addresses, is the
	// controller manager's.
	managed = `{apiVersion: v1, kind: Service, metadata: {name: managed, namespace: default}, spec: {clusterIP: None, selector: {managed: nothing}}}`
)

// Heard waits until the controller manager has heard of a new Service, and what the
// API server says now is in the rules of every node and every place for clients.
// After one that was away, each of them asks it again up to half a minute
// late, or later where it was away again and again, and until then leads clients as
// before.
func (c *Cluster) Heard(ctx context.Context) (err error) {
	defer func() {
		_, gone := c.Kubectl(context.WithoutCancel(ctx), heard+"---\n"+managed, "delete", "--ignore-not-found", "-f", "-")
		err = errors.Join(err, gone)
	}()
	address, err := c.Kubectl(ctx, heard, "create", "-f", "-", "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	if _, err := c.Kubectl(ctx, managed, "create", "-f", "-"); err != nil {
		return err
	}
	if err := c.pollFor(ctx, 4*waitLimit, "the controller manager to hear of a new Service", func() (bool, error) {
		slices, err := c.Kubectl(ctx, "", "get", "endpointslices", "--namespace", "default", "--selector", "kubernetes.io/service-name=managed", "--output", "name")
		return err == nil && slices != "", nil // what has just started may not answer each time
	}); err != nil {
		return err
	}
	for _, node := range slices.AppendSeq(slices.Clone(c.Nodes), maps.Keys(c.Clients)) {
		err := c.pollFor(ctx, 4*waitLimit, node+" to hear of a new Service", func() (bool, error) {
			rules, err := output(c.Command(ctx, node, "nft", "list", "table", "ip", "kube-proxy"))
			return strings.Contains(rules, " "+address+" ") && strings.Contains(rules, heardAt), err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// children are the processes that p, which entered a place for the sake of
// them, has started there.
func children(p machine.Process) []int {
	if !p.Alive() {
		return nil
	}
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", p.PID))
	var pids []int
	for field := range strings.FieldsSeq(string(data)) {
		if pid, err := strconv.Atoi(field); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
