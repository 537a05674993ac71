// Package peer is how the agents of a pair of brokers talk: mutual TLS with
// certificates that are read again when they change, a dialer that tries every
// address of a name at once and remembers those it knew, calls that carry JSON,
// and the plain HTTP server that the kubelet and Prometheus ask. It knows
// nothing of what is said.
package peer
