package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// many is the number of brokers of the rows for more than one.
const many = 100

// The peers of "mosqbuild render".
var (
	kustomizeModule = module{name: "kustomize", path: "sigs.k8s.io/kustomize/kustomize/v5", version: "v5.8.1", main: "."}
	helmModule      = module{name: "helm", path: "helm.sh/helm/v4", version: "v4.3.1", main: "./cmd/helm"}
)

// manifests is what the tools render: brokers that differ in name, host and
// credentials, which were made before anything is timed.
type manifests struct {
	w    *workspace
	dir  string
	ours [][]byte // what "mosqbuild render" printed for each
}

func brokerName(i int) string { return fmt.Sprintf("broker-%03d", i) }
func brokerHost(i int) string { return fmt.Sprintf("mqtt-%03d.example.com", i) }

const (
	renderedNamespace = "bench-namespace"
	renderedImage     = "registry.example.com/bench/mosquitto:1"
)

// newManifests renders the first n brokers, and from what we printed writes
// what the peers render.
func (w *workspace) newManifests(ctx context.Context, n int) (m manifests, err error) {
	m = manifests{w: w}
	if m.dir, err = w.folder("manifests"); err != nil {
		return m, err
	}
	for i := range n {
		if err := m.configure(i); err != nil {
			return m, err
		}
		text, err := output(m.our(ctx, i))
		if err != nil {
			return m, err
		}
		m.ours = append(m.ours, []byte(text))
		if _, err := output(m.our(ctx, i, "--output", "kustomize:"+m.base(i))); err != nil {
			return m, err
		}
	}
	if err := m.writeKustomization(); err != nil {
		return m, err
	}
	return m, m.writeCharts()
}

// configure writes a broker's mosqbuild.yaml, in a folder of its own.
func (m manifests) configure(i int) error {
	file := filepath.Join(m.dir, configOf(i))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, fmt.Appendf(nil, "name: %s\ndeploy: {host: %s, namespace: %s}\n", brokerName(i), brokerHost(i), renderedNamespace), 0o600)
}

func configOf(i int) string { return filepath.Join("sites", brokerName(i), "mosqbuild.yaml") }

// our is "mosqbuild render" of one broker.
func (m manifests) our(ctx context.Context, i int, more ...string) *exec.Cmd {
	return m.command(ctx, m.w.program, append([]string{"render", "--config", configOf(i), "--image", renderedImage}, more...)...)
}

func (m manifests) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = m.dir
	// Helm's folders.
	c.Env = append(os.Environ(), "HELM_CACHE_HOME="+m.dir+"/helm", "HELM_CONFIG_HOME="+m.dir+"/helm", "HELM_DATA_HOME="+m.dir+"/helm")
	return c
}

// base is the folder of one broker's base and overlays.
func (m manifests) base(i int) string { return filepath.Join("kustomize", brokerName(i)) }

// writeKustomization writes the one that names every base.
func (m manifests) writeKustomization() error {
	var b bytes.Buffer
	b.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n")
	for i := range m.ours {
		fmt.Fprintf(&b, "- %s/base\n", brokerName(i))
	}
	return os.WriteFile(filepath.Join(m.dir, "kustomize", "kustomization.yaml"), b.Bytes(), 0o600)
}

// each returns a contender that runs a command for each of the brokers, one
// after the other.
func (m manifests) each(command func(context.Context, int) *exec.Cmd) contender {
	return func(ctx context.Context) (sum sample, err error) {
		for i := range m.ours {
			s, err := timed(command(ctx, i))
			if err != nil {
				return sum, err
			}
			sum.wall += s.wall
			sum.cpu += s.cpu
		}
		return sum, nil
	}
}

// ourRender is one "mosqbuild render" of all the brokers.
func (m manifests) ourRender() contender {
	args := []string{"render", "--image", renderedImage}
	for i := range m.ours {
		args = append(args, configOf(i))
	}
	return func(ctx context.Context) (sample, error) { return timed(m.command(ctx, m.w.program, args...)) }
}

// renderer makes the command that renders broker i with a peer, or all of
// them where i is negative.
type renderer func(ctx context.Context, m manifests, i int) *exec.Cmd

func (w *workspace) kustomize(ctx context.Context) (renderer, error) {
	program, err := w.compiled(ctx, kustomizeModule)
	return func(ctx context.Context, m manifests, i int) *exec.Cmd {
		dir := "kustomize"
		if i >= 0 {
			dir = filepath.Join(m.base(i), "base")
		}
		return m.command(ctx, program, "build", dir)
	}, err
}

func (w *workspace) helm(ctx context.Context) (renderer, error) {
	program, err := w.compiled(ctx, helmModule)
	return func(ctx context.Context, m manifests, i int) *exec.Cmd {
		if i < 0 {
			return m.command(ctx, program, "template", "all", m.chart(true))
		}
		return m.command(ctx, program, "template", brokerName(i), m.chart(false), "--values", m.values(i))
	}, err
}

// renderAgainst checks that the peer renders the same objects, and then times
// n brokers; with once, the peer renders all of them in one go.
func (w *workspace) renderAgainst(ctx context.Context, find func(context.Context) (renderer, error), n int, once bool) (result, error) {
	peer, err := find(ctx)
	if err != nil {
		return result{}, err
	}
	m, err := w.newManifests(ctx, n)
	if err != nil {
		return result{}, err
	}
	one := func(ctx context.Context, i int) *exec.Cmd { return peer(ctx, m, i) }
	theirs, pairs := m.each(one), 3*w.pairs
	if n > 1 {
		pairs = (w.pairs + 2) / 3
	}
	if once {
		theirs = func(ctx context.Context) (sample, error) { return timed(one(ctx, -1)) }
		err = m.sameAtOnce(one(ctx, -1))
	} else {
		err = m.same(func(i int) *exec.Cmd { return one(ctx, i) })
	}
	if err != nil {
		return result{}, err
	}
	return w.race(ctx, pairs, m.ourRender(), theirs)
}

func renderOneAgainstKustomize(ctx context.Context, w *workspace) (result, error) {
	return w.renderAgainst(ctx, w.kustomize, 1, false)
}

func renderOneAgainstHelm(ctx context.Context, w *workspace) (result, error) {
	return w.renderAgainst(ctx, w.helm, 1, false)
}

func renderManyAgainstKustomize(ctx context.Context, w *workspace) (result, error) {
	return w.renderAgainst(ctx, w.kustomize, many, false)
}

func renderManyAgainstKustomizeAtOnce(ctx context.Context, w *workspace) (result, error) {
	return w.renderAgainst(ctx, w.kustomize, many, true)
}

func renderManyAgainstHelm(ctx context.Context, w *workspace) (result, error) {
	return w.renderAgainst(ctx, w.helm, many, false)
}

func renderManyAgainstHelmAtOnce(ctx context.Context, w *workspace) (result, error) {
	return w.renderAgainst(ctx, w.helm, many, true)
}

// renderIsLinear compares all the brokers with as many times the first one.
func renderIsLinear(ctx context.Context, w *workspace) (result, error) {
	m, err := w.newManifests(ctx, many)
	if err != nil {
		return result{}, err
	}
	const tries = 10
	first := manifests{w: w, dir: m.dir, ours: slices.Repeat(m.ours[:1], tries)}
	onlyFirst := first.each(func(ctx context.Context, _ int) *exec.Cmd { return m.our(ctx, 0) })
	return w.race(ctx, (w.pairs+2)/3, m.ourRender(), func(ctx context.Context) (sample, error) {
		s, err := onlyFirst(ctx)
		return sample{wall: s.wall * many / tries, cpu: s.cpu * many / tries}, err
	})
}
