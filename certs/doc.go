// Package certs makes and checks the certificates of the broker's TLS
// listeners: a certificate authority of our own and server certificates that
// it issues, both with cfssl. Bytes go in and bytes come out, as PEM; where
// they are kept is the caller's business.
//
// The clock is a parameter everywhere. Keys and serial numbers come from
// crypto/rand, since cfssl takes no other source. All functions may be called
// at once from several goroutines.
//
// The package does not fetch, renew on a timer, revoke, or encrypt keys.
package certs
