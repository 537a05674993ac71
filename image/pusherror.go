package image

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/net/http2"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// retryCodes are answers that may be another one a moment later.
var retryCodes = []int{
	http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

func retries(delay time.Duration) []remote.Option {
	return []remote.Option{
		remote.WithRetryStatusCodes(retryCodes...),
		remote.WithRetryPredicate(worthRetrying),
		remote.WithRetryBackoff(remote.Backoff{Duration: cmp.Or(delay, 500*time.Millisecond), Factor: 3, Jitter: 0.1, Steps: 4}),
	}
}

// worthRetrying says whether another try could end otherwise: a refusal, a
// certificate or an interruption stays what it is.
func worthRetrying(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if answer := (*transport.Error)(nil); errors.As(err, &answer) {
		return answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusRequestTimeout || answer.StatusCode >= 500
	}
	if reset := (http2.StreamError{}); errors.As(err, &reset) { // net/http's own can be had as this one
		return true
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE, syscall.ECONNRESET, syscall.ECONNREFUSED, net.ErrClosed} {
		if errors.Is(err, broken) {
			return true
		}
	}
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" {
		return false // a lost packet was sent again meanwhile
	}
	timeout := net.Error(nil)
	return errors.As(err, &timeout) && timeout.Timeout()
}

// explain adds what to do about a registry that failed or refused.
func explain(ctx context.Context, err error, hint string) error {
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	if code := fault.CodeOf(err); code == fault.Usage || code == fault.Refused {
		return err
	}
	return fault.With(fault.Unreachable, fault.Hint(err, "%s", hint))
}

func pushHint(err error, tag name.Tag) string {
	if answer := (*transport.Error)(nil); errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return "log in with the right to push there: podman login " + registryName(tag.Repository)
		case http.StatusNotFound:
			return "create the repository " + repositoryName(tag) + " first, or mend its name"
		}
	}
	return registryHint(err, tag.Repository)
}

// registryHint is what to do where it doesn't matter what was asked for.
func registryHint(err error, repository name.Repository) string {
	host := registryName(repository)
	if untrusted(err) {
		return "give the folder of the registry's CA certificate, ca.crt, with --cert-dir DIR, or skip the check with --tls-verify=false"
	}
	if answer := (*transport.Error)(nil); errors.As(err, &answer) {
		if answer.StatusCode == http.StatusTooManyRequests {
			return host + " limits how often it is asked: wait, or log in: podman login " + host
		}
		return "the registry answered, but refused or failed: its own log says why"
	}
	noTLS := errors.Is(err, errPlainHTTP) || errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, new(tls.RecordHeaderError))
	if noTLS && !loopbackHost(repository.RegistryStr()) { // where plain http is tried unasked
		return "where the registry has no TLS and the network is trusted: --tls-verify=false"
	}
	return "check the registry's name, and that it answers: curl https://" + host + "/v2/"
}

// registryName is the registry as people write it.
func registryName(r name.Repository) string {
	if r.RegistryStr() == name.DefaultRegistry {
		return "docker.io"
	}
	return r.RegistryStr()
}

func untrusted(err error) bool {
	var (
		unknown *tls.CertificateVerificationError
		author  x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	return errors.As(err, &unknown) || errors.As(err, &author) || errors.As(err, &host) || errors.As(err, &invalid)
}
