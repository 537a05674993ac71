package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// api reads objects without the cost of starting kubectl, which would show in
// what is measured.
type api struct {
	server, token string
	client        *http.Client
}

// newAPI takes the administrator's kubeconfig: one cluster, one user.
func newAPI(c *cluster.Cluster) (*api, error) {
	data, err := os.ReadFile(c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	var conf struct {
		Clusters []struct {
			Cluster struct {
				CA string `json:"certificate-authority"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(data, &conf); err != nil || len(conf.Clusters) != 1 || len(conf.Users) != 1 {
		return nil, fmt.Errorf("reading the kubeconfig %q: it has not one cluster and one user: %w", c.Kubeconfig(), err)
	}
	ca, err := os.ReadFile(conf.Clusters[0].Cluster.CA)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &api{
		server: c.Server,
		token:  conf.Users[0].User.Token,
		client: &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 4}},
	}, nil
}

// get reads the object or list at path into v.
func (a *api) get(ctx context.Context, path string, v any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	response, err := a.client.Do(request)
	if err != nil {
		return fmt.Errorf("asking the API: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", response.Status, body)
	}
	if err != nil {
		return fmt.Errorf("asking the API for %q: %w", path, err)
	}
	return json.Unmarshal(body, v)
}
