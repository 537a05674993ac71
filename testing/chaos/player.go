package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// journal is what all clients have seen, in the order in which it was told.
type journal struct {
	mu     sync.Mutex
	events []load.Event
	at     map[string]load.Event // each client's connection, with where it leads to once that is told
}

func (j *journal) add(e load.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	switch at, up := j.at[e.Client]; {
	case e.Kind == load.Up:
		j.at[e.Client] = e
	case !up || at.Conn != e.Conn: // where an older connection led to is told late
	case e.Kind == load.Pod:
		j.at[e.Client] = e
	case e.Kind == load.Down:
		delete(j.at, e.Client)
	}
}

// strays are the clients that are connected, by the Service, elsewhere than to a pod.
func (j *journal) strays(pod string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []string
	for client, e := range j.at {
		if !strings.HasPrefix(client, pinnedPrefix) && e.Kind == load.Pod && e.Address != pod {
			all = append(all, client+" at "+e.Address)
		}
	}
	slices.Sort(all)
	return all
}

// since returns the events from a time on.
func (j *journal) since(at time.Duration) []load.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	// Processes tell with little delay, so that a second of overlap will do.
	i := len(j.events)
	for i > 0 && j.events[i-1].At > at-time.Second {
		i--
	}
	all := slices.DeleteFunc(slices.Clone(j.events[i:]), func(e load.Event) bool { return e.At < at })
	slices.SortStableFunc(all, func(a, b load.Event) int { return int(a.At - b.At) })
	return all
}

// forget drops what is older.
func (j *journal) forget(at time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = slices.DeleteFunc(j.events, func(e load.Event) bool { return e.At < at })
}

// await waits for an event that is as wanted.
func (j *journal) await(ctx context.Context, from time.Duration, limit time.Duration, want func(load.Event) bool) (load.Event, bool) {
	for end := time.Now().Add(limit); ; {
		for _, e := range j.since(from) {
			if want(e) {
				return e, true
			}
		}
		if time.Now().After(end) || !sleep(ctx, 20*time.Millisecond) {
			return load.Event{}, false
		}
	}
}

// player is a process of clients in a place of the cluster.
type player struct {
	cmd *exec.Cmd
	in  *json.Encoder
	end io.Closer

	done chan struct{}
}

// play starts one; what it sees goes to the journal.
func play(ctx context.Context, c *cluster.Cluster, place string, to *journal) (*player, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := c.Command(ctx, place, self, "load")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting clients at %s: %w", place, err)
	}
	p := &player{cmd: cmd, in: json.NewEncoder(in), end: in, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for dec := json.NewDecoder(out); ; {
			var e load.Event
			if dec.Decode(&e) != nil {
				break
			}
			to.add(e)
		}
		_ = cmd.Wait()
	}()
	return p, nil
}

func (p *player) tell(c load.Command) error { return p.in.Encode(c) }

// stop has the clients leave.
func (p *player) stop() {
	_ = p.end.Close()
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// sleep waits, and says whether ctx hasn't ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
