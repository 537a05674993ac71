package failover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/peer"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// Paths of what agents ask each other.
const (
	pathRecord = "/v1/record"
	pathStatus = "/v1/status"
	pathVotes  = "/v1/votes"
)

// Agents reach other agents over their API. Its methods may be called from
// several goroutines.
type Agents struct {
	Client *peer.Client
	Dialer *peer.Dialer
	// Controllers is the name that has every controller's address.
	Controllers string
}

var (
	_ Sender = Agents{}
	_ Guard  = remoteGuard{}
)

// Send brings a vote to every controller that there is: who leads next, must
// have the others' votes when it begins. It returns when ctx ends, or all have
// answered; the error is that of those who haven't, or of finding them.
func (a Agents) Send(ctx context.Context, v record.Vote) error {
	addresses, err := a.Dialer.Addresses(ctx, a.Controllers)
	if err != nil {
		return fmt.Errorf("sending a vote: %w", err)
	}
	errs := make([]error, len(addresses))
	var wg sync.WaitGroup
	for i, ip := range addresses {
		address := net.JoinHostPort(ip, strconv.Itoa(config.PortGuard))
		wg.Go(func() { errs[i] = a.Client.Call(ctx, http.MethodPost, address, pathVotes, v, nil) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Guards returns both brokers' guards, by role.
func (a Agents) Guards(settings config.Agent) map[string]Guard {
	guards := map[string]Guard{}
	for _, role := range roles {
		guards[role] = remoteGuard{a.Client, net.JoinHostPort(settings.Guards(role), strconv.Itoa(config.PortGuard))}
	}
	return guards
}

// remoteGuard is a guard behind its API.
type remoteGuard struct {
	client  *peer.Client
	address string
}

// Status asks for the guard's status.
func (g remoteGuard) Status(ctx context.Context, after int64, wait time.Duration) (st record.Status, err error) {
	path := fmt.Sprintf("%s?after=%d&wait=%d", pathStatus, after, wait.Milliseconds())
	err = g.client.Call(ctx, http.MethodGet, g.address, path, nil, &st)
	return st, err
}

// Push sends the guard a record.
func (g remoteGuard) Push(ctx context.Context, r record.Record) (st record.Status, err error) {
	err = g.client.Call(ctx, http.MethodPut, g.address, pathRecord, r, &st)
	return st, err
}

// Handler takes the other controllers' votes.
func (c *Controller) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathVotes, func(w http.ResponseWriter, r *http.Request) {
		var v record.Vote
		if !peer.Read(w, r, &v) {
			return
		}
		if v.Voter == "" {
			http.Error(w, "a vote without a voter", http.StatusBadRequest)
			return
		}
		c.Take(v)
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}
