// Package kube is all that the project asks of a Kubernetes API server: to read
// and change one Service by compare-and-swap, to put events on it, and to read
// and update a Lease; package election elects a leader by one.
//
// Each call is one request, or two, bounded by its context alone: nothing is
// retried behind the caller's back, cached or held up by a rate limiter, since
// a failover counts on knowing how old an answer is. A connection on which a
// call got no answer isn't used again.
//
// It decides nothing, and no type of client-go's leaves it.
package kube
