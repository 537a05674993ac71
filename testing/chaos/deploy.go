package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
	"github.com/mosqbuild/mosqbuild/testing/cluster"
	"github.com/mosqbuild/mosqbuild/testing/cluster/kubeapi"
)

// The images, as they are named in the manifests: not latest, which Kubernetes
// would want to pull.
const (
	brokerImage = "localhost/mosquitto:chaos"
	agentImage  = "localhost/mosqagent:chaos"
)

// settings are the pair's mosqbuild.yaml.
const settings = "deploy: {profile: ha, namespace: " + namespace + "}\n"

// workshop is where mosqbuild is built and run.
type workshop struct{ dir, program string }

// newWorkshop builds mosqbuild and its agent in a folder of its own, dir.
func newWorkshop(ctx context.Context, dir string) (*workshop, error) {
	w := &workshop{dir, filepath.Join(dir, "mosqbuild")}
	const commands = "github.com/mosqbuild/mosqbuild/cmd/"
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags", "-s -w", "-o", dir+"/", commands+"mosqbuild", commands+"mosqagent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := command(build); err != nil {
		return nil, err
	}
	return w, os.WriteFile(filepath.Join(dir, "mosqbuild.yaml"), []byte(settings), 0o644)
}

// mosqbuild runs it and returns what it prints.
func (w *workshop) mosqbuild(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, w.program, args...)
	cmd.Dir = w.dir
	return command(cmd)
}

// images builds the broker's image, and the agent's if asked to, from packages
// built from source, and gives them to the nodes.
func (w *workshop) images(ctx context.Context, c *cluster.Cluster, agent bool) error {
	type image struct {
		name string
		args []string
	}
	images := []image{{brokerImage, []string{"--local"}}}
	if agent {
		images = append(images, image{agentImage, []string{"--component", "agent"}})
	}
	for _, image := range images {
		archive := filepath.Join(w.dir, "image.tar")
		args := append([]string{"image", "build", "--quiet", "-o", "docker-archive:" + archive}, image.args...)
		if _, err := w.mosqbuild(ctx, args...); err != nil {
			return err
		}
		if err := c.Load(ctx, archive, image.name); err != nil {
			return err
		}
	}
	return nil
}

// deploy renders the profile ha and applies it.
func (w *workshop) deploy(ctx context.Context, c *cluster.Cluster, a *kubeapi.Client) (*guarded, error) {
	objects, err := w.mosqbuild(ctx, "render", "--quiet", "--image", brokerImage, "--agent-image", agentImage)
	if err != nil {
		return nil, err
	}
	if _, err := c.Apply(ctx, objects); err != nil {
		return nil, err
	}
	user, password, err := w.login()
	if err != nil {
		return nil, err
	}
	logins, err := addresses(ctx, c, load.Login{User: user, Password: password}, map[string]string{
		"": deployment, config.RolePrimary: deployment + "-" + config.RolePrimary, config.RoleSecondary: deployment + "-" + config.RoleSecondary,
	})
	return &guarded{a, logins}, err
}

// login reads the user that render made for clients.
func (w *workshop) login() (user, password string, err error) {
	data, err := os.ReadFile(filepath.Join(w.dir, ".mosqbuild", "client", "mosquitto_pub"))
	if err != nil {
		return "", "", fmt.Errorf("reading the clients' login: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		switch option, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " "); option {
		case "-u":
			user = value
		case "-P":
			password = value
		}
	}
	if user == "" || password == "" {
		err = errors.New("reading the clients' login: there is none")
	}
	return user, password, err
}

// addresses are where Services answer at their port called mqtt, by role.
func addresses(ctx context.Context, c *cluster.Cluster, login load.Login, services map[string]string) (map[string]load.Login, error) {
	all := map[string]load.Login{}
	for role, service := range services {
		out, err := c.Kubectl(ctx, "", "get", "service", service, "--namespace", namespace, "-o", `jsonpath={.spec.clusterIP}:{.spec.ports[?(@.name=="mqtt")].port}`)
		if err != nil {
			return nil, err
		}
		login.Address = out
		all[role] = login
	}
	return all, nil
}

// command runs cmd and returns what it prints; its stderr is part of the error.
func command(cmd *exec.Cmd) (string, error) {
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("running %s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
