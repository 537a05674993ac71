package failover

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
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

// Identity is what a controller is called, in the Lease and in the record: who
// it is, and where to send votes to.
func Identity(pod, ip string) string { return pod + "_" + ip }

// Address is where the controller of that identity takes votes.
func Address(identity string) (string, error) {
	_, ip, ok := strings.Cut(identity, "_")
	if !ok || net.ParseIP(ip) == nil {
		return "", fmt.Errorf("sending a vote to %q: that is no pod's name and address", identity)
	}
	return net.JoinHostPort(ip, strconv.Itoa(config.PortGuard)), nil
}

// Agents reach other agents over their API. Its methods may be called from
// several goroutines.
type Agents struct {
	Client *peer.Client
}

var (
	_ Sender = Agents{}
	_ Guard  = remoteGuard{}
)

// Send brings a vote to the leading controller.
func (a Agents) Send(ctx context.Context, holder string, v record.Vote) error {
	address, err := Address(holder)
	if err != nil {
		return err
	}
	return a.Client.Call(ctx, http.MethodPost, address, pathVotes, v, nil)
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
