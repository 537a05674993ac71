package cluster

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// manifests are the objects that each cluster begins with: those of no module.
//
//go:embed manifests/*.yaml
var manifests embed.FS

// crdSource is a module that ships custom resource definitions.
type crdSource struct {
	module string // PATH@VERSION, or PATH, at the version of this module's go.mod
	sum    string // of go.sum, where this module's hasn't one
	files  string // pattern of files in the module
	crds   []string
}

// crdSources are those whose objects mosqbuild renders.
var crdSources = []crdSource{
	{
		module: "github.com/openshift/api",
		files:  "*/v1/zz_generated.crd-manifests/*.crd.yaml",
		crds:   []string{"routes.route.openshift.io", "securitycontextconstraints.security.openshift.io"},
	}, {
		module: "github.com/traefik/traefik/v3@v3.7.13",
		sum:    "h1:T8wy9KuaFzCkmXCqAzDy7t73pBDR1DHrJe3pqXpNXTw=",
		files:  "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
		crds:   []string{"ingressroutetcps.traefik.io", "middlewaretcps.traefik.io", "serverstransporttcps.traefik.io", "tlsoptions.traefik.io"},
	}, {
		module: "github.com/cert-manager/cert-manager@v1.18.2",
		sum:    "h1:H2P75ycGcTMauV3gvpkDqLdS3RSXonWF2S49QGA1PZE=",
		files:  "deploy/crds/crd-*.yaml",
		crds:   []string{"certificates.cert-manager.io", "issuers.cert-manager.io"},
	},
}

// addons gives the API what the rest needs.
func (c *Cluster) addons(ctx context.Context) error {
	var all strings.Builder
	names, err := manifests.ReadDir("manifests")
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := manifests.ReadFile("manifests/" + name.Name())
		if err != nil {
			return err
		}
		all.WriteString("---\n")
		all.Write(data)
	}
	for _, source := range crdSources {
		crds, err := source.read(ctx)
		if err != nil {
			return err
		}
		all.WriteString(crds)
	}
	if _, err := c.Apply(ctx, all.String()); err != nil {
		return err
	}
	if c.place(Outside).pid == 0 {
		return nil
	}
	return c.daemon(c.place(Outside), "dns", c.path("bin", "inside"), "dns", "--kubeconfig", c.kubeconfigOf("dns"),
		"--listen", outsideIP+":53", "--domain", Domain, "--router", outsideIP)
}

// Apply applies objects, as YAML, by server-side apply with strict validation,
// and returns what kubectl prints. args are more of kubectl's.
func (c *Cluster) Apply(ctx context.Context, objects string, args ...string) (string, error) {
	return c.Kubectl(ctx, objects, append([]string{"apply", "--server-side", "--validate=strict", "--filename", "-"}, args...)...)
}

// established waits until the API serves the custom resources.
func (c *Cluster) established(ctx context.Context) error {
	_, err := c.Kubectl(ctx, "", "wait", "--for=condition=Established", "crd", "--all", "--timeout", waitLimit.String())
	return err
}

// read returns the definitions from the module cache.
func (s crdSource) read(ctx context.Context) (string, error) {
	dir, err := s.dir(ctx)
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(dir, s.files))
	if err != nil {
		return "", err
	}
	found := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		for doc := range strings.SplitSeq(string(data), "\n---\n") {
			if err := s.pick(doc, found); err != nil {
				return "", fmt.Errorf("reading %q: %w", file, err)
			}
		}
	}
	var all strings.Builder
	for _, name := range s.crds {
		if found[name] == "" {
			return "", fmt.Errorf("%s has no definition of %s", s.module, name)
		}
		all.WriteString("---\n" + found[name])
	}
	return all.String(), nil
}

// pick adds doc to found if it is wanted. Labels go: some are templates.
func (s crdSource) pick(doc string, found map[string]string) error {
	var crd map[string]any
	if err := yaml.Unmarshal([]byte(doc), &crd); err != nil {
		return err
	}
	meta, _ := crd["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	if !slices.Contains(s.crds, name) {
		return nil
	}
	delete(meta, "labels")
	out, err := yaml.Marshal(crd)
	found[name] = string(out)
	return err
}

// dir is the module's folder in the module cache; it is downloaded if need be.
func (s crdSource) dir(ctx context.Context) (string, error) {
	source, err := moduleDir(ctx)
	if err != nil {
		return "", err
	}
	var out string
	for _, pause := range []time.Duration{10 * time.Second, time.Minute, 0} { // a proxy of modules may not answer at once
		cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", s.module)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err = output(cmd); err == nil || pause == 0 || ctx.Err() != nil {
			break
		}
		time.Sleep(pause)
	}
	var module struct{ Dir, Sum, Error string }
	if e := json.Unmarshal([]byte(out), &module); e != nil {
		return "", errors.Join(err, fmt.Errorf("downloading %s: %w", s.module, e))
	}
	if module.Error != "" {
		return "", fmt.Errorf("downloading %s: %s", s.module, module.Error)
	}
	if s.sum != "" && module.Sum != s.sum {
		return "", fmt.Errorf("downloading %s: its sum is %s, not %s", s.module, module.Sum, s.sum)
	}
	return module.Dir, err
}
