package certs

import (
	"errors"

	cferr "github.com/cloudflare/cfssl/errors"
)

// The faults that callers tell apart with errors.Is.
var (
	// ErrPEM is input that is not the PEM it should be.
	ErrPEM = errors.New("not valid PEM")
	// ErrEncryptedKey is a private key that needs a password.
	ErrEncryptedKey = errors.New("the private key is encrypted")
	// ErrKeyType is a key type that is none of KeyTypes.
	ErrKeyType = errors.New("unknown key type")
	// ErrHost is a host that no server certificate can carry.
	ErrHost = errors.New("not a DNS name or IP address")
	// ErrNoHosts is a server certificate without subject alternative names.
	ErrNoHosts = errors.New("the certificate names no host")
	// ErrName is a client certificate under another name than it should have.
	ErrName = errors.New("not the client's name")
	// ErrNotCA is an issuing certificate that may not issue.
	ErrNotCA = errors.New("the certificate is not a certificate authority")
	// ErrWrongCA is a certificate that the given authority did not issue.
	ErrWrongCA = errors.New("the certificate was not issued by this authority")
	// ErrKeyMismatch is a private key that belongs to another certificate.
	ErrKeyMismatch = errors.New("the private key does not match the certificate")
	// ErrExpired is a certificate whose time is over.
	ErrExpired = errors.New("the certificate has expired")
	// ErrNotYetValid is a certificate whose time has not come.
	ErrNotYetValid = errors.New("the certificate is not valid yet")
	// ErrLifetime is a lifetime that is negative, too short or too long.
	ErrLifetime = errors.New("unusable lifetime")
	// ErrNotBefore is a request without the time it begins at.
	ErrNotBefore = errors.New("NotBefore is not set")
)

// plain strips cfssl's errors, whose text is a JSON object, to their message.
func plain(err error) error {
	var e *cferr.Error
	if errors.As(err, &e) {
		return errors.New(e.Message)
	}
	return err
}
