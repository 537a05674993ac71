package failover

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/mosqbuild/mosqbuild/internal/peer"
)

// Serve is Run, and meanwhile takes votes at api, from whoever shows a
// certificate as id does, and answers the kubelet and Prometheus at health. It
// closes both. Where one of the three ends early, all do.
func (c *Controller) Serve(ctx context.Context, api, health net.Listener, id *peer.Identity) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, 3)
	var wg sync.WaitGroup
	for i, run := range []func() error{
		func() error { return c.Run(ctx) },
		func() error { return peer.Serve(ctx, api, id, c.Handler()) },
		func() error {
			h := peer.Health{Live: c.Live, Ready: c.Ready, Metrics: c.Set()}
			return peer.Serve(ctx, health, nil, h.Handler())
		},
	} {
		wg.Go(func() {
			defer cancel()
			errs[i] = run()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
