package kube

import (
	"context"
	"time"
)

// Holder is who has a Lease, as it was last written.
type Holder struct {
	// Identity is "" where nobody has it.
	Identity string
	// Renewed is when the holder last said so, by its own clock, and Duration
	// how long that is good for.
	Renewed  time.Time
	Duration time.Duration
}

// Holder returns who has the Lease. It wraps ErrNotFound and ErrForbidden.
func (c *Client) Holder(ctx context.Context, lease string) (Holder, error) {
	l, err := c.Lease(ctx, lease)
	if err != nil {
		return Holder{}, err
	}
	var h Holder
	if l.Spec.HolderIdentity != nil {
		h.Identity = *l.Spec.HolderIdentity
	}
	if l.Spec.RenewTime != nil {
		h.Renewed = l.Spec.RenewTime.Time
	}
	if l.Spec.LeaseDurationSeconds != nil {
		h.Duration = time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
	}
	return h, nil
}
