package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// CleanHosts checks that each host is a DNS name, a DNS name whose first label
// is "*", or an IP address, and returns them each once, in order, as a
// certificate carries them: names in lower case with no dot at the end,
// addresses in canonical form. The errors of all hosts are joined; each is
// ErrHost and names its host.
func CleanHosts(hosts []string) ([]string, error) {
	var out []string
	var faults []error
	seen := map[string]bool{}
	for _, h := range hosts {
		clean, err := cleanHost(h)
		if err != nil {
			faults = append(faults, err)
		} else if !seen[clean] {
			seen[clean] = true
			out = append(out, clean)
		}
	}
	return out, errors.Join(faults...)
}

func cleanHost(host string) (string, error) {
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if ip.Zone() != "" {
			return "", fmt.Errorf("host %q: %w: a certificate carries no IPv6 zone", host, ErrHost)
		}
		return ip.Unmap().String(), nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if why := refuseName(name); why != "" {
		return "", fmt.Errorf("host %q: %w: %s", host, ErrHost, why)
	}
	return name, nil
}

// refuseName says what keeps name from being a DNS name, or "". An underscore
// is let through: Go and OpenSSL match it, and container networks use it.
func refuseName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > 253:
		return "it is longer than 253 bytes"
	case strings.ContainsAny(name, "/:@"):
		return "give the bare name, without scheme, port, path or user"
	}
	labels := strings.Split(name, ".")
	if labels[0] == "*" {
		// OpenSSL, and with it the broker's own clients, matches no wildcard
		// directly below a top-level domain.
		if labels = labels[1:]; len(labels) < 2 {
			return "a wildcard needs two labels after it"
		}
	}
	for _, l := range labels {
		if why := refuseLabel(l); why != "" {
			return why
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return "it looks like an address, but is none"
	}
	return ""
}

func refuseLabel(label string) string {
	if label == "" || len(label) > 63 {
		return "each part between dots must have 1 to 63 characters"
	}
	if label[0] == '-' || label[len(label)-1] == '-' {
		return "a part between dots begins or ends with a dash"
	}
	for _, r := range label {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
		case r == '*':
			return "a wildcard stands alone before the first dot"
		case r > 127:
			return "write it in its ASCII form (xn--…)"
		default:
			return fmt.Sprintf("it holds %q", r)
		}
	}
	return ""
}

// Hosts returns the names and addresses that the first certificate in the PEM
// carries, in the form of CleanHosts: names first.
func Hosts(cert []byte) ([]string, error) {
	chain, err := parseCerts(cert)
	if err != nil {
		return nil, err
	}
	hosts := append([]string(nil), chain[0].DNSNames...)
	for _, ip := range chain[0].IPAddresses {
		hosts = append(hosts, ip.String())
	}
	return hosts, nil
}

// MissingHosts returns the hosts that the first certificate in the PEM does
// not stand for, in order, in the form of CleanHosts. A name that a wildcard
// covers is not missing; a wildcard is missing unless the certificate carries
// that very wildcard.
func MissingHosts(cert []byte, hosts []string) ([]string, error) {
	chain, err := parseCerts(cert)
	if err != nil {
		return nil, err
	}
	clean, err := CleanHosts(hosts)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, h := range clean {
		if !carries(chain[0], h) {
			missing = append(missing, h)
		}
	}
	return missing, nil
}

func carries(c *x509.Certificate, host string) bool {
	if !strings.HasPrefix(host, "*.") {
		return c.VerifyHostname(host) == nil
	}
	for _, name := range c.DNSNames {
		if strings.EqualFold(name, host) {
			return true
		}
	}
	return false
}
