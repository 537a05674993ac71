// Package peertest makes agents' certificates for tests.
package peertest
