package image

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// authFile is a login file as podman and docker write it:
// https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md.
type authFile struct {
	Auths       map[string]authEntry `json:"auths"`
	CredHelpers map[string]string    `json:"credHelpers"`
	CredsStore  string               `json:"credsStore"`
}

type authEntry struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// keychain finds logins in files, the first that has one winning.
// One that isn't there, or that may not be read, as root's of /run, has none.
type keychain struct{ paths []string }

var _ authn.ContextKeychain = keychain{}

// Resolve is ResolveContext without a context.
func (k keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), r)
}

// ResolveContext returns the login for r: in each file a credential helper for
// the registry, then the entry for the longest part of the repository's name,
// then the file's credential store. No login is no error.
func (k keychain) ResolveContext(ctx context.Context, r authn.Resource) (authn.Authenticator, error) {
	for _, path := range k.paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) && len(k.paths) > 1 {
			continue
		}
		var f authFile
		if err == nil {
			err = json.Unmarshal(data, &f)
		}
		var cfg *authn.AuthConfig
		if err == nil {
			cfg, err = f.login(ctx, r)
		}
		if err != nil {
			err = fmt.Errorf("reading logins in %q: %w", path, err)
			return nil, fault.With(fault.Usage, fault.Hint(err, "mend that file, or name another one: --authfile FILE"))
		}
		if cfg != nil {
			return authn.FromConfig(*cfg), nil
		}
	}
	return authn.Anonymous, nil
}

func (f authFile) login(ctx context.Context, r authn.Resource) (*authn.AuthConfig, error) {
	keys := loginKeys(r)
	host := keys[len(keys)-1]
	for registry, helper := range f.CredHelpers {
		if normalKey(registry) == host {
			return askHelper(ctx, helper, r.RegistryStr())
		}
	}
	entries := map[string]authEntry{}
	for k, e := range f.Auths {
		if n := normalKey(k); e != (authEntry{}) {
			entries[n] = e
		}
	}
	for _, key := range keys {
		if e, ok := entries[key]; ok {
			return e.config(key)
		}
	}
	if f.CredsStore != "" {
		return askHelper(ctx, f.CredsStore, r.RegistryStr())
	}
	return nil, nil
}

func (e authEntry) config(key string) (*authn.AuthConfig, error) {
	cfg := &authn.AuthConfig{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken}
	if e.Auth == "" {
		return cfg, nil
	}
	plain, err := base64.StdEncoding.DecodeString(e.Auth)
	user, password, ok := strings.Cut(strings.TrimRight(string(plain), "\x00"), ":")
	if err != nil || !ok {
		return nil, fmt.Errorf("the entry %q is no base64 of user:password", key)
	}
	cfg.Username, cfg.Password = user, password
	return cfg, nil
}

// loginKeys returns the names under which r's login may stand, the longest
// first: quay.io/org/app, quay.io/org, quay.io.
func loginKeys(r authn.Resource) []string {
	var keys []string
	for s := normalKey(r.String()); ; {
		keys = append(keys, s)
		i := strings.LastIndex(s, "/")
		if i < 0 {
			return keys
		}
		s = s[:i]
	}
}

// normalKey undoes the ways in which login files write a registry: with a
// scheme, with docker's /v1/, or Docker Hub by its host names.
func normalKey(key string) string {
	if _, rest, ok := strings.Cut(key, "://"); ok {
		key = rest
	}
	key = strings.TrimSuffix(key, "/")
	for _, version := range []string{"/v1", "/v2"} {
		key = strings.TrimSuffix(key, version)
	}
	host, rest, deep := strings.Cut(key, "/")
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = "docker.io"
	}
	if deep {
		return host + "/" + rest
	}
	return host
}

// askHelper runs a credential helper:
// https://github.com/docker/docker-credential-helpers. A helper that has no
// login for the registry is no error.
func askHelper(ctx context.Context, helper, registry string) (*authn.AuthConfig, error) {
	if filepath.Base(helper) != helper {
		return nil, fmt.Errorf("credential helper %q is no plain name", helper)
	}
	if registry == "index.docker.io" {
		registry = "https://index.docker.io/v1/"
	}
	c := exec.CommandContext(ctx, "docker-credential-"+helper, "get")
	var out, errOut bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(registry), &out, &errOut
	if err := c.Run(); err != nil {
		said := strings.TrimSpace(out.String() + errOut.String()) // helpers complain on stdout
		if strings.Contains(said, "credentials not found") {
			return nil, nil
		}
		if bytes.HasPrefix(bytes.TrimSpace(out.Bytes()), []byte("{")) { // the login itself
			said = strings.TrimSpace(errOut.String())
		}
		return nil, fmt.Errorf("running docker-credential-%s: %w: %s", helper, err, said)
	}
	var got struct{ Username, Secret string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return nil, fmt.Errorf("reading what docker-credential-%s printed: %w", helper, err)
	}
	if got.Username == "<token>" {
		return &authn.AuthConfig{IdentityToken: got.Secret}, nil
	}
	return &authn.AuthConfig{Username: got.Username, Password: got.Secret}, nil
}
