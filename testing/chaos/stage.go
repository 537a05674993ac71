package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
	"github.com/mosqbuild/mosqbuild/testing/cluster"
)

// clientPlace is where the clients are.
const clientPlace = "clients"

// stage is a cluster with a pair on it, and its clients.
type stage struct {
	*cluster.Cluster
	system
	workshop *workshop
	pairs    int
	away     time.Duration // how long a cable is out, where it is long
	random   *rand.Rand
	say      cluster.Progress
	deaf     bool // nodes may not have heard yet what the API server says
	log      *journal
	ledger   ledger
	round    int // of the retained messages that are written once a run
	clients  *player
	writers  map[string]*player // by node
}

// enter starts the clients, and a writer on every node, whose cable may be cut
// without its noticing.
func (s *stage) enter(ctx context.Context) error {
	var err error
	s.log, s.ledger, s.writers = &journal{at: map[string]load.Event{}}, ledger{}, map[string]*player{}
	if s.clients, err = play(ctx, s.Cluster, clientPlace, s.log); err != nil {
		return err
	}
	if err := s.clients.tell(load.Command{Do: load.DoClients, N: s.pairs, Login: s.login("")}); err != nil {
		return err
	}
	if err := s.restartWriters(ctx, s.Nodes...); err != nil {
		return err
	}
	return s.inscribe(ctx)
}

// inscribe writes the retained messages that nobody writes again before they are
// looked at: those show what a switch has lost, where others were set since.
func (s *stage) inscribe(ctx context.Context) error {
	s.round++
	for end := time.Now().Add(reconnectLimit); ; sleep(ctx, time.Second) {
		if err := s.write(ctx); err == nil || time.Now().After(end) || ctx.Err() != nil {
			return err
		}
	}
}

// reconnectLimit is for how long the retained messages are tried to be written: the
// first packets over a cable that was out may be lost, and the clients' own limit is
// shorter than it takes to send them again.
const reconnectLimit = 5 * time.Second

// write writes the round.
func (s *stage) write(ctx context.Context) error {
	began := load.Now()
	if err := s.clients.tell(load.Command{Do: load.DoWrite, Name: "static", N: s.round, Login: s.login("")}); err != nil {
		return err
	}
	e, ok := s.log.await(ctx, began, 5*time.Second, func(e load.Event) bool { return e.Kind == load.Written && e.N == s.round })
	if !ok || e.Error != "" {
		return fmt.Errorf("writing retained messages: %s", cmp.Or(e.Error, "there is no answer"))
	}
	return nil
}

// leave ends them.
func (s *stage) leave() {
	if s.clients != nil {
		s.clients.stop()
	}
	for _, w := range s.writers {
		w.stop()
	}
	s.clients, s.writers = nil, nil
}

// restart has new clients come in the place of the present ones.
func (s *stage) restart(ctx context.Context) error {
	s.leave()
	if err := s.enter(ctx); err != nil {
		return err
	}
	sleep(ctx, 3*time.Second) // until each retained message has been written
	return ctx.Err()
}

// restartWriters starts the writers of nodes, also of those that have a new
// network since they lost their power.
func (s *stage) restartWriters(ctx context.Context, nodes ...string) error {
	for _, node := range nodes {
		if w := s.writers[node]; w != nil {
			w.stop()
		}
		w, err := play(ctx, s.Cluster, node, s.log)
		if err != nil {
			return err
		}
		s.writers[node] = w
	}
	return nil
}

// pin has a writer stay with the active broker, and those of before leave.
func (s *stage) pin(ctx context.Context, now state) error {
	at := now.at()
	for node, w := range s.writers {
		if node != at.Node {
			if err := w.tell(load.Command{Do: load.DoUnpin}); err != nil {
				return err
			}
		}
	}
	w, ok := s.writers[at.Node]
	if !ok {
		return fmt.Errorf("pinning a writer: there is none on %q", at.Node)
	}
	began, name := load.Now(), pinnedPrefix+at.Node
	login := s.login("")
	login.Address = at.ip + ":" + port(login.Address)
	if now.record != nil {
		login.Address = fmt.Sprintf("%s:%d", at.ip, config.ClientPort(0, now.record.Slot))
	}
	if err := w.tell(load.Command{Do: load.DoPin, Name: name, Login: login}); err != nil {
		return fmt.Errorf("pinning a writer: %w", err)
	}
	e, ok := s.log.await(ctx, began, 5*time.Second, func(e load.Event) bool {
		return e.Client == name && (e.Kind == load.Acked || e.Kind == load.Refused)
	})
	if !ok || e.Kind != load.Acked {
		return fmt.Errorf("pinning a writer to %s: %s", at.ip, e.Error)
	}
	return nil
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// ready waits until nodes and pair are ready for the next fault, or to be looked at:
// a node that was without the API server leads elsewhere for a while.
func (s *stage) ready(ctx context.Context) (state, error) {
	if s.deaf {
		if err := s.Heard(ctx); err != nil {
			return state{}, err
		}
		s.deaf = false
	}
	return s.settled(ctx, readyLimit)
}

// settled waits until the pair is ready for the next fault.
func (s *stage) settled(ctx context.Context, limit time.Duration) (state, error) {
	var last string
	for end := time.Now().Add(limit); ; {
		now, err := s.state(ctx)
		if err == nil && now.unready == "" {
			return now, nil
		}
		if last = now.unready; err != nil {
			last = err.Error()
		}
		if time.Now().After(end) || !sleep(ctx, 200*time.Millisecond) {
			return now, errors.Join(fmt.Errorf("waiting for the pair to be ready: after %s: %s", limit, last), ctx.Err())
		}
	}
}

// served waits until every subscriber has received messages for a second
// without a break.
func (s *stage) served(ctx context.Context, limit time.Duration) bool {
	const steady = time.Second
	for end := time.Now().Add(limit); ; {
		now := load.Now()
		events := s.log.since(now - steady)
		worst := time.Duration(0)
		for qos := range 2 {
			for i := range s.pairs {
				worst = max(worst, gap(events, load.Subscriber(qos, i), now-steady+300*time.Millisecond, now))
			}
		}
		if worst < 500*time.Millisecond {
			return true
		}
		if time.Now().After(end) || !sleep(ctx, 100*time.Millisecond) {
			return false
		}
	}
}

// snapshots reads what both brokers have retained, after the last change of it,
// until they agree or limit has passed. After an API server that was down, the
// nodes may need longer than the pair to lead to both again: that isn't counted.
func (s *stage) snapshots(ctx context.Context, limit time.Duration) (map[string]map[string]string, error) {
	began := load.Now()
	if err := s.clients.tell(load.Command{Do: load.DoHold}); err != nil {
		return nil, err
	}
	defer func() { _ = s.clients.tell(load.Command{Do: load.DoGo}) }()
	if _, ok := s.log.await(ctx, began, 10*time.Second, func(e load.Event) bool { return e.Kind == load.Held }); !ok {
		return nil, errors.New("reading what is retained: the last change isn't acknowledged")
	}
	reached := time.Now().Add(readyLimit)
	for end := reached; ; {
		all, err := s.snapshot(ctx)
		if err == nil && end.Equal(reached) {
			end = time.Now().Add(limit)
		}
		agreed := err == nil && len(differences(all[roles[0]], all[roles[1]])) == 0
		if agreed || time.Now().After(end) || !sleep(ctx, 300*time.Millisecond) {
			return all, err
		}
	}
}

func (s *stage) snapshot(ctx context.Context) (map[string]map[string]string, error) {
	began := load.Now()
	all := map[string]map[string]string{}
	for _, role := range roles {
		if err := s.clients.tell(load.Command{Do: load.DoSnapshot, Name: "snapshot-" + role, Login: s.login(role)}); err != nil {
			return nil, err
		}
	}
	for _, role := range roles {
		e, ok := s.log.await(ctx, began, 5*time.Second, func(e load.Event) bool {
			return e.Kind == load.Snapshot && e.Client == "snapshot-"+role
		})
		if !ok || e.Error != "" {
			return nil, fmt.Errorf("reading what %s has retained: %s", role, e.Error)
		}
		all[role] = e.Retained
	}
	return all, nil
}

// signal sends a signal to a pod's processes that run a program.
func (s *stage) signal(at pod, program string, sig unix.Signal) error {
	pids, err := s.PodProcesses(at.Pod)
	if err != nil {
		return err
	}
	sent := 0
	for _, pid := range pids {
		comm, _ := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "comm"))
		if strings.TrimSpace(string(comm)) == program && unix.Kill(pid, sig) == nil {
			sent++
		}
	}
	if sent == 0 {
		return fmt.Errorf("sending %s to %s: it doesn't run in %s", unix.SignalName(sig), program, at.name)
	}
	return nil
}

// deletePods deletes them as a person would, and doesn't wait.
func (s *stage) deletePods(ctx context.Context, pods ...pod) error {
	args := []string{"delete", "pod", "--namespace", namespace, "--wait=false"}
	for _, p := range pods {
		args = append(args, p.name)
	}
	_, err := s.Kubectl(ctx, "", args...)
	return err
}
