package cluster

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/mosqbuild/mosqbuild/certs"
)

// user is one whom the API server knows by a token.
type user struct{ name, groups string }

// admin may do anything; it is whom tests act as.
const admin = "admin"

// users are all that there are, by the name of their kubeconfig.
func (c *Cluster) users() map[string]user {
	all := map[string]user{
		admin:                     {admin, "system:masters"},
		"kube-controller-manager": {"system:kube-controller-manager", ""},
		"kube-scheduler":          {"system:kube-scheduler", ""},
		"kube-proxy":              {"system:kube-proxy", ""},
		"dns":                     {"dns", ""},
		"router":                  {"router", ""},
	}
	for _, node := range c.Nodes {
		all[node] = user{"system:node:" + node, "system:nodes"}
	}
	return all
}

// credentials writes what the API server and those who talk to it need:
// certificates, keys, tokens, and a kubeconfig for each user. inner is the API
// server's URL within the cluster.
func (c *Cluster) credentials(inner string) error {
	begin := time.Now().Add(-5 * time.Minute)
	ca, err := certs.NewCA(certs.CARequest{Name: "cluster", NotBefore: begin, Lifetime: 30 * 24 * time.Hour})
	if err != nil {
		return err
	}
	server, err := certs.Issue(ca, certs.LeafRequest{
		Hosts:     []string{"kubernetes.default.svc", "kubernetes.default", "kubernetes", "localhost", "127.0.0.1", serviceIP(1), outsideIP},
		NotBefore: begin,
	})
	if err != nil {
		return err
	}
	accounts, err := certs.NewCA(certs.CARequest{Name: "service accounts", NotBefore: begin})
	if err != nil {
		return err
	}
	var tokens strings.Builder
	for name, u := range c.users() {
		token := rand.Text()
		fmt.Fprintf(&tokens, "%s,%s,%s,%q\n", token, u.name, name, u.groups)
		if err := c.kubeconfig(name, inner, token); err != nil {
			return err
		}
		if name == admin {
			if err := c.kubeconfig("host", c.Server, token); err != nil {
				return err
			}
		}
	}
	for file, data := range map[string][]byte{
		"ca.crt": ca.Cert, "server.crt": server.Cert, "server.key": server.Key, "accounts.crt": accounts.Cert, "accounts.key": accounts.Key,
		"tokens.csv": []byte(tokens.String()),
	} {
		if err := os.WriteFile(c.path(Outside, file), data, 0o600); err != nil {
			return fmt.Errorf("writing credentials: %w", err)
		}
	}
	return nil
}

// kubeconfig writes the kubeconfig of a user.
func (c *Cluster) kubeconfig(name, server, token string) error {
	data, err := yaml.Marshal(map[string]any{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": "cluster",
		"clusters":        []any{map[string]any{"name": "cluster", "cluster": map[string]any{"server": server, "certificate-authority": c.path(Outside, "ca.crt")}}},
		"users":           []any{map[string]any{"name": name, "user": map[string]any{"token": token}}},
		"contexts":        []any{map[string]any{"name": "cluster", "context": map[string]any{"cluster": "cluster", "user": name}}},
	})
	if err == nil {
		err = os.WriteFile(c.kubeconfigOf(name), data, 0o600)
	}
	return err
}

func (c *Cluster) kubeconfigOf(name string) string { return c.path(Outside, name+".kubeconfig") }

// Kubeconfig is the path of the kubeconfig with which an administrator reaches
// the cluster from the machine.
func (c *Cluster) Kubeconfig() string { return c.kubeconfigOf("host") }
