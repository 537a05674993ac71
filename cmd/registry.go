package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mosqbuild/mosqbuild/image"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// pushTo says where the image goes: to the argument, or where the
// configuration says.
func (a *app) pushTo(o pushOptions, args []string) (image.PushOptions, error) {
	to := image.PushOptions{WithTestCredentials: o.withTestCredentials}
	if len(args) > 0 {
		to.Reference = args[0]
	} else {
		cfg, err := a.config()
		if err != nil {
			return to, err
		}
		to.Reference = cfg.Image.Reference
		if o.which.Name == componentAgent && cmp.Or(cfg.Image.Agent, to.Reference) != "" {
			to.Reference = agentName(cfg)
		}
		if to.Reference == "" {
			err := errors.New("no reference to push to")
			return to, fault.With(fault.Usage, fault.Hint(err, "run: mosqbuild image push REGISTRY/NAME[:TAG], or set image.reference in %s", configFile))
		}
	}
	if err := image.CheckReference(to.Reference); err != nil { // before anything is built
		return to, err
	}
	access, err := o.registry.access()
	to.Logins, to.Trust = access.Logins, access.Trust
	return to, err
}

// registryOptions are the flags of the commands that speak to a registry.
type registryOptions struct {
	authFile, certDir string
	tlsVerify         bool
}

func (o *registryOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.authFile, "authfile", "", "login `file`, as podman login writes it")
	f.StringVar(&o.certDir, "cert-dir", "", "`folder` of the registry's CA (*.crt) and a client certificate (*.cert, *.key)")
	f.BoolVar(&o.tlsVerify, "tls-verify", true, "refuse plain http and certificates of unknown authorities")
}

// access says which logins to use and whom to trust.
func (o registryOptions) access() (image.ReadOptions, error) {
	logins, err := loginFiles(o.authFile)
	if err != nil {
		return image.ReadOptions{}, err
	}
	if o.certDir != "" {
		if _, err := os.ReadDir(o.certDir); err != nil {
			return image.ReadOptions{}, fault.With(fault.Usage, fmt.Errorf("reading --cert-dir: %w", err))
		}
	}
	return image.ReadOptions{Logins: logins, Trust: image.Trust{Roots: certRoots(), Dir: o.certDir, Insecure: !o.tlsVerify}}, nil
}

// loginFiles returns where podman and docker keep logins, in podman's order.
// A file that was named is the only one, and has to be there.
func loginFiles(named string) ([]string, error) {
	if named == "" {
		named = os.Getenv("REGISTRY_AUTH_FILE")
	}
	if named != "" {
		if _, err := os.Stat(named); err != nil {
			err = fmt.Errorf("reading the login file: %w", err)
			return nil, fault.With(fault.Usage, fault.Hint(err, "run: podman login --authfile %s REGISTRY", named))
		}
		return []string{named}, nil
	}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		runtime = "/run/containers/" + strconv.Itoa(os.Getuid())
	}
	files := []string{filepath.Join(runtime, "containers", "auth.json"), filepath.Join(runtime, "auth.json")}
	if os.Getenv("XDG_RUNTIME_DIR") == "" { // podman makes do with what systemd has made, skopeo doesn't
		files = append(files, filepath.Join("/run/user", strconv.Itoa(os.Getuid()), "containers", "auth.json"))
	}
	if dir, err := os.UserConfigDir(); err == nil {
		files = append(files, filepath.Join(dir, "containers", "auth.json"))
	}
	docker := os.Getenv("DOCKER_CONFIG")
	if home, err := os.UserHomeDir(); err == nil && docker == "" {
		docker = filepath.Join(home, ".docker")
	}
	if docker != "" {
		files = append(files, filepath.Join(docker, "config.json"))
	}
	return files, nil
}

// certRoots returns where podman and docker look for registries' CAs.
func certRoots() []string {
	roots := []string{"/etc/containers/certs.d", "/etc/docker/certs.d"}
	if dir, err := os.UserConfigDir(); err == nil {
		roots = append([]string{filepath.Join(dir, "containers", "certs.d")}, roots...)
	}
	return roots
}

// uploadProgress shows how far the upload is; end is to be called after it.
func (a *app) uploadProgress() (report func(done, total int64), end func()) {
	t := a.transfer("pushing")
	return t.at, t.end
}

// pushNotes says what someone who pushes must know and can't see.
func (a *app) pushNotes(ref string, p image.Pushed) {
	a.progress("pushed %s: %d blobs uploaded", ref, p.Uploaded)
	if p.SBOM == "" {
		a.note("no SBOM is attached: the image has none of all that is in it, or the registry takes none")
	}
	if p.DefaultsLeftOut {
		a.note("the test credentials were left out: built %s, pushed %s (--with-test-credentials pushes them)", p.Built, p.Digest)
	}
	if strings.HasPrefix(ref, "quay.io/") {
		a.note("a new repository on quay.io is private: make it public there, or give the manifests a login: mosqbuild render --pull-secret NAME")
	}
}
