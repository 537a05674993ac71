package certs

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"sync"

	"github.com/cloudflare/cfssl/config"
	"github.com/cloudflare/cfssl/csr"
	"github.com/cloudflare/cfssl/log"
	"github.com/cloudflare/cfssl/signer"
	"github.com/cloudflare/cfssl/signer/local"
)

// issuer signs; without cert it signs itself.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// readIssuer reads an authority and checks that it may issue.
func readIssuer(ca Pair) (issuer, error) {
	chain, key, err := ca.parse()
	if err != nil {
		return issuer{}, fmt.Errorf("reading authority: %w", err)
	}
	c := chain[0]
	if !c.BasicConstraintsValid || !c.IsCA || (c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0) {
		return issuer{}, fmt.Errorf("reading authority %q: %w", c.Subject.CommonName, ErrNotCA)
	}
	return issuer{c, key}, nil
}

// newRequest makes a key and has cfssl write the signing request for it.
func newRequest(r *csr.CertificateRequest, k KeyType) (request []byte, key crypto.Signer, err error) {
	if r.KeyRequest, err = k.request(); err != nil {
		return nil, nil, err
	}
	var keyPEM []byte
	if err := quietly(func() (err error) {
		request, keyPEM, err = csr.ParseRequest(r)
		return err
	}); err != nil {
		return nil, nil, err
	}
	key, err = parseKey(keyPEM)
	return request, key, err
}

// sign has cfssl make the certificate that the request asks for.
func sign(by issuer, policy *config.Signing, request []byte, valid period) (cert []byte, err error) {
	err = quietly(func() error {
		s, err := local.NewSigner(by.key, by.cert, signer.DefaultSigAlgo(by.key), policy)
		if err != nil {
			return err
		}
		cert, err = s.Sign(signer.SignRequest{
			Request:   string(request),
			NotBefore: valid.from,
			NotAfter:  valid.to,
		})
		return err
	})
	return cert, err
}

func finish(cert []byte, key crypto.Signer, err error) (Pair, error) {
	if err != nil {
		return Pair{}, err
	}
	keyPEM, err := encodeKey(key)
	return Pair{Cert: cert, Key: keyPEM}, err
}

// logging guards cfssl's global log level while it is changed.
var logging sync.Mutex

// quietly runs f with cfssl's logger silent, which reports each step on the
// standard logger otherwise, and makes f's error readable. The level is put
// back afterwards, for whoever else uses cfssl in this program.
func quietly(f func() error) error {
	logging.Lock()
	defer logging.Unlock()
	old := log.Level
	log.Level = log.LevelFatal
	defer func() { log.Level = old }()
	return plain(f())
}
