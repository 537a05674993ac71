// Package kubeapi asks a rig's API server without the cost of starting kubectl,
// which would show in what is measured. For what the product asks, see
// internal/kube.
package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"sigs.k8s.io/yaml"
)

// ErrNotFound is the error of what the API doesn't know.
var ErrNotFound = errors.New("not found")

// Client asks one API server. Its methods may be called from several goroutines.
type Client struct {
	// Server is the server's URL, and Token, if not "", the user's.
	Server, Token string
	HTTP          *http.Client
}

// New reads a kubeconfig of the rig's: one cluster, one user with a token. limit
// bounds each call.
func New(kubeconfig string, limit time.Duration) (*Client, error) {
	data, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	var conf struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     string `json:"certificate-authority"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(data, &conf); err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %q: %w", kubeconfig, err)
	}
	if len(conf.Clusters) != 1 || len(conf.Users) != 1 {
		return nil, fmt.Errorf("reading the kubeconfig %q: %d clusters, %d users", kubeconfig, len(conf.Clusters), len(conf.Users))
	}
	ca, err := os.ReadFile(conf.Clusters[0].Cluster.CA)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &Client{
		Server: conf.Clusters[0].Cluster.Server,
		Token:  conf.Users[0].User.Token,
		HTTP:   &http.Client{Timeout: limit, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 4}},
	}, nil
}

// Get reads the object or list at path into v.
func (c *Client) Get(ctx context.Context, path string, v any) error {
	data, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// Patch merges v into the object at path.
func (c *Client) Patch(ctx context.Context, path string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, http.MethodPatch, path, body)
	return err
}

func (c *Client) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.Server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the API: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
	case response.StatusCode == http.StatusNotFound:
		err = ErrNotFound
	case response.StatusCode != http.StatusOK:
		err = fmt.Errorf("%s: %.300s", response.Status, answer)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the API: %s %q: %w", method, path, err)
	}
	return answer, nil
}
