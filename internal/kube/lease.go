package kube

import (
	"context"
	"net/http"

	coordination "k8s.io/api/coordination/v1"
)

const coordinationAPI = "apis/coordination.k8s.io/v1"

// Lease reads the Lease name. It wraps ErrNotFound and ErrForbidden.
func (c *Client) Lease(ctx context.Context, name string) (*coordination.Lease, error) {
	var l coordination.Lease
	return &l, c.do(ctx, request{method: http.MethodGet, api: coordinationAPI, kind: "leases", name: name}, &l)
}

// UpdateLease writes the Lease as changed since it was read, and returns it as
// it is then. It wraps ErrConflict, ErrNotFound and ErrForbidden.
func (c *Client) UpdateLease(ctx context.Context, l *coordination.Lease) (*coordination.Lease, error) {
	l = l.DeepCopy()
	l.APIVersion, l.Kind = "coordination.k8s.io/v1", "Lease"
	var written coordination.Lease
	return &written, c.do(ctx, request{method: http.MethodPut, api: coordinationAPI, kind: "leases", name: l.Name, in: l}, &written)
}
