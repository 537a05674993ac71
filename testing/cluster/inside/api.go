package main

import (
	"bytes"
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

// errNotFound is the error of a collection that the API doesn't know.
var errNotFound = errors.New("not found")

// api asks the API server.
type api struct {
	server, token string
	client        *http.Client
}

// newAPI reads a kubeconfig of this rig's: one cluster, one user with a token.
func newAPI(kubeconfig string) (*api, error) {
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
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if len(conf.Clusters) != 1 || len(conf.Users) != 1 {
		return nil, fmt.Errorf("reading the kubeconfig: %d clusters, %d users", len(conf.Clusters), len(conf.Users))
	}
	ca, err := os.ReadFile(conf.Clusters[0].Cluster.CA)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &api{
		server: conf.Clusters[0].Cluster.Server,
		token:  conf.Users[0].User.Token,
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}},
	}, nil
}

// list reads the items of a collection into v.
func (a *api) list(path string, v any) error {
	data, err := a.do(http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// patch merges v into an object.
func (a *api) patch(path string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.do(http.MethodPatch, path, body)
	return err
}

func (a *api) do(method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, a.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	request.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%s %s: %w", method, path, errNotFound)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s %s: %s: %.300s", method, path, response.Status, answer)
	}
	return answer, nil
}
