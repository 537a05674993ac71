package peer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// Descended returns the settings of a TLS client that wants a certificate which
// descends from one of those in ca (PEM), whatever its name: agents ask brokers
// by names that no client uses. From an empty ca nobody descends.
func Descended(ca []byte) *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // for the name alone; see VerifyConnection
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("the broker has no certificate")
			}
			between := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				between.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
			return err
		},
	}
}
