package image

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/stall"
)

// errPlainHTTP is a registry that answers without TLS where TLS was wanted.
var errPlainHTTP = errors.New("the registry would be spoken to without TLS")

// registryTransport carries requests to a registry. It refuses plain http
// but to loopback or where TLS is not to be verified, counts the blobs that were
// uploaded, makes the pauses that the registry asks for, and gives up on one that
// hangs.
type registryTransport struct {
	base      *http.Transport
	watched   stall.Transport // of base
	plainHTTP bool
	uploaded  atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (t *registryTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" && !t.plainHTTP && !loopbackHost(r.URL.Host) {
		return nil, errPlainHTTP
	}
	resp, err := t.watched.RoundTrip(r)
	if err == nil && r.Method == http.MethodPut && resp.StatusCode == http.StatusCreated && strings.Contains(r.URL.Path, "/blobs/uploads/") {
		t.uploaded.Add(1)
	}
	if err == nil {
		if resp.StatusCode != http.StatusOK {
			resp.Body = boundedBody{io.LimitReader(resp.Body, maxRefusal), resp.Body}
		} else if !asksForBlob(r) {
			resp.Body = boundedBody{io.LimitReader(resp.Body, maxDocument), resp.Body}
		}
		if late := obey(r.Context(), resp); late != nil {
			resp.Body.Close()
			return nil, late
		}
	}
	return resp, err
}

// maxRefusal bounds what comes with an error, in bytes. The library would read
// that, as it would a token, a list or a manifest, for as long as the registry sends.
const maxRefusal = 1 << 20

// asksForBlob says whether r, or the request that was redirected to it, is the
// library's for a blob, whose size is in a manifest. A registry names where tokens
// come from, but not without a query.
func asksForBlob(r *http.Request) bool {
	for r.Response != nil && r.Response.Request != nil {
		r = r.Response.Request
	}
	return r.Method == http.MethodGet && r.URL.RawQuery == "" && path.Base(path.Dir(r.URL.Path)) == "blobs"
}

// boundedBody is a body of which a part is read.
type boundedBody struct {
	io.Reader
	io.Closer
}

// close lets go of idle connections.
func (t *registryTransport) close() { t.base.CloseIdleConnections() }

// newTransport trusts the system's authorities and those in certDirs, each a
// folder as podman's certs.d/HOST:PORT: *.crt are authorities, and NAME.cert
// with NAME.key is a client certificate. silence, by default a minute, is how long a
// transfer may stand still.
func newTransport(certDirs []string, verify bool, silence time.Duration) (*registryTransport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: !verify} //nolint:gosec // asked for by --tls-verify=false
	for _, dir := range certDirs {
		if err := addCerts(conf, dir); err != nil {
			return nil, err
		}
	}
	base := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute, // a registry may check a blob before it answers
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       conf,
	}
	watched := stall.Transport{Base: base, Limit: cmp.Or(silence, time.Minute)}
	return &registryTransport{base: base, watched: watched, plainHTTP: !verify}, nil
}

func addCerts(conf *tls.Config, dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading registry certificates in %q: %w", dir, err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch filepath.Ext(e.Name()) {
		case ".crt":
			err = addAuthority(conf, path)
		case ".cert":
			var pair tls.Certificate
			pair, err = tls.LoadX509KeyPair(path, strings.TrimSuffix(path, ".cert")+".key")
			conf.Certificates = append(conf.Certificates, pair)
		}
		if err != nil {
			return fault.With(fault.Usage, fmt.Errorf("reading registry certificate %q: %w", path, err))
		}
	}
	return nil
}

func addAuthority(conf *tls.Config, path string) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if conf.RootCAs == nil {
		if conf.RootCAs, err = x509.SystemCertPool(); err != nil {
			conf.RootCAs = x509.NewCertPool()
		}
	}
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return errors.New("it holds no certificate in PEM")
	}
	return nil
}

// certDirs returns the folders of certificates for host.
func certDirs(t Trust, host string) []string {
	var dirs []string
	for _, root := range t.Roots {
		dirs = append(dirs, filepath.Join(root, host))
		if host == name.DefaultRegistry { // of which podman has the usual name
			dirs = append(dirs, filepath.Join(root, "docker.io"))
		}
	}
	if t.Dir != "" {
		dirs = append(dirs, t.Dir)
	}
	return dirs
}
