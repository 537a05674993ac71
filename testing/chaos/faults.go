package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// wound is a fault that was inflicted.
type wound struct {
	// heal undoes it, after lasts, and once clients are served again, but after
	// atMost at the latest.
	heal          func(context.Context) error
	lasts, atMost time.Duration
	ends          time.Time // of one among several, when lasts is over
}

// fault is one row of the table.
type fault struct {
	name        string
	full, short int // runs
	// median and most are the outages to reach; 0 is none.
	median, most time.Duration
	// switches is how many a run may cost before they are needless, and least how
	// many it has to: a broker that starts again where it was may have lost what it
	// had. spare is how many needless ones all runs together may have.
	switches, least, spare int
	// lossless says that no acknowledged message may be lost while its subscriber
	// is there.
	lossless bool
	// lasts is how long it goes on, where it shows no end; the profile short cuts
	// that.
	lasts time.Duration
	// spread says that its runs come far apart, between those of others.
	spread bool
	// forgets is why what was retained may be lost, "" where it mayn't.
	forgets string
	// prepare arranges what it needs, where that isn't nil.
	prepare func(context.Context, *stage, state) error
	// inflict does it; run counts from 0.
	inflict func(ctx context.Context, s *stage, now state, run int) (wound, error)
}

var faults = []fault{
	{name: "broker killed (kill -9)", full: 10, short: 2, median: 700 * time.Millisecond, most: 2 * time.Second, switches: 1, least: 1, inflict: kill},
	{name: "broker hung (SIGSTOP)", full: 10, short: 2, median: 1500 * time.Millisecond, most: 3 * time.Second, switches: 1, least: 1, inflict: hang},
	{name: "its pod deleted", full: 10, short: 1, switches: 1, least: 1, inflict: deletePod},
	{name: "its node cut off", full: 10, short: 2, median: 3 * time.Second, most: 5 * time.Second, switches: 1, least: 1, prepare: apart, inflict: cutOff},
	{name: "the leading controller's node cut off", full: 10, short: 1, prepare: apart, inflict: cutOffLeader},
	{name: "both at once, on one node", full: 10, short: 1, median: 5 * time.Second, most: 8 * time.Second, switches: 1, least: 1, prepare: together, inflict: cutOff},
	{name: "API server down for 10 s", full: 10, short: 1, median: 500 * time.Millisecond, most: time.Second, spread: true, inflict: withoutAPI},
	{name: "controllers can't reach the broker, clients can", full: 10, short: 1, switches: 1, least: 1, inflict: oneWay},
	{name: "both brokers' pods deleted at once", full: 10, short: 1, switches: 2, least: 1, inflict: deleteBoth},
	{name: "switched by hand", full: 10, short: 2, switches: 1, least: 1, lossless: true, inflict: switchByHand},
	{name: "5 % of its node's packets lost", full: 10, short: 1, lasts: 30 * time.Second, inflict: lossy(5)},
	{name: "20 % of its node's packets lost", full: 20, spare: 1, lasts: time.Minute, inflict: lossy(20)},
	{name: "30 kills in a row", full: 30, median: 700 * time.Millisecond, most: 2 * time.Second, switches: 1, least: 1, inflict: kill},
	{name: "both brokers' nodes lose their power for 3 s", full: 10, short: 1, switches: 1, forgets: "no broker outlives it, and without deploy.storage their data doesn't either", inflict: powerLoss},
}

// seen is after how long a fault that clients notice has shown.
const seen = 2 * time.Second

// nothing is how to heal what heals by itself.
func nothing(context.Context) error { return nil }

func kill(_ context.Context, s *stage, now state, _ int) (wound, error) {
	return wound{heal: nothing, lasts: seen, atMost: time.Minute}, s.signal(now.at(), "mosquitto", unix.SIGKILL)
}

// hang stops a broker that is left to itself for two minutes at most.
func hang(_ context.Context, s *stage, now state, _ int) (wound, error) {
	at := now.at()
	return wound{
		heal: func(context.Context) error {
			_ = s.signal(at, "mosquitto", unix.SIGCONT) // the guard has killed it by now, as a rule
			return nil
		},
		lasts: seen, atMost: 2 * time.Minute,
	}, s.signal(at, "mosquitto", unix.SIGSTOP)
}

func deletePod(ctx context.Context, s *stage, now state, _ int) (wound, error) {
	return wound{heal: nothing, lasts: seen, atMost: time.Minute}, s.deletePods(ctx, now.at())
}

// deleteBoth deletes both brokers' pods, as a roll-out of both does. What was
// retained has to survive: whoever is told to end serves on until the other one is
// back and has everything, for failover.leave at most, which is longer than that
// takes here. One switch may lead to the standby, which is told to end a moment
// later, and one back.
func deleteBoth(ctx context.Context, s *stage, now state, _ int) (wound, error) {
	return wound{heal: nothing, lasts: seen, atMost: time.Minute}, s.deletePods(ctx, slices.Collect(maps.Values(now.brokers))...)
}

// switchByHand does what people do, and has switched when it returns. A request that
// isn't fulfilled shows as a missing switch.
func switchByHand(ctx context.Context, s *stage, _ state, _ int) (wound, error) {
	if _, err := s.workshop.mosqbuild(ctx, "failover", "switch", "--kubeconfig", s.Kubeconfig()); err != nil {
		s.say("  %v", err)
	}
	return wound{heal: nothing, lasts: seen, atMost: time.Minute}, nil
}

// cutOff pulls the cable of the active broker's node; it is put back after the
// switch, or, in half of the runs, after a longer time.
func cutOff(ctx context.Context, s *stage, now state, run int) (wound, error) {
	return s.unplugged(ctx, now.at().Node, run)
}

func (s *stage) unplugged(ctx context.Context, node string, run int) (wound, error) {
	s.deaf = true
	w := wound{heal: func(ctx context.Context) error { return s.Plug(ctx, node) }, lasts: 3 * time.Second, atMost: 90 * time.Second}
	if run%4 == 1 || run%4 == 2 { // roles change with each switch: either's turn comes
		w.lasts = s.away
	}
	return w, s.Unplug(ctx, node)
}

func cutOffLeader(ctx context.Context, s *stage, now state, run int) (wound, error) {
	leader, err := now.leading()
	if err != nil {
		return wound{heal: nothing}, err
	}
	return s.unplugged(ctx, leader.Node, run)
}

// apart has the leader run on another node than the active broker.
func apart(ctx context.Context, s *stage, now state) error {
	return s.lead(ctx, now, func(leader, broker string) bool { return leader != broker })
}

// together has the leader run on the active broker's node.
func together(ctx context.Context, s *stage, now state) error {
	return s.lead(ctx, now, func(leader, broker string) bool { return leader == broker })
}

// lead deletes controllers' pods where they are in the way, until the leader's
// node is as wanted.
func (s *stage) lead(ctx context.Context, now state, wanted func(leader, broker string) bool) error {
	for range 10 {
		leader, err := now.leading()
		if err != nil {
			return err
		}
		if wanted(leader.Node, now.at().Node) {
			return nil
		}
		for _, p := range now.controllers {
			if !wanted(p.Node, now.at().Node) {
				if err := s.deletePods(ctx, p); err != nil {
					return err
				}
			}
		}
		// Until they have noticed, all looks well.
		if !sleep(ctx, time.Second) {
			return ctx.Err()
		}
		if now, err = s.settled(ctx, time.Minute); err != nil {
			return err
		}
	}
	return errors.New("moving the leader: it doesn't go where it is wanted")
}

// withoutAPI stops the API server. Whoever watches it comes back the later the more
// often it was away within two minutes, by up to a minute, and the next fault waits
// for them: so the runs are spread.
func withoutAPI(ctx context.Context, s *stage, _ state, _ int) (wound, error) {
	s.deaf = true
	return wound{heal: s.StartAPI, lasts: 10 * time.Second}, s.StopAPI(ctx)
}

// oneWay has the active broker's pod hear nothing of the controllers.
func oneWay(ctx context.Context, s *stage, now state, _ int) (wound, error) {
	var from []string
	for _, p := range now.controllers {
		from = append(from, p.ip)
	}
	at := now.at().Pod
	return wound{
		heal: func(ctx context.Context) error {
			if pids, err := s.PodProcesses(at); err != nil || len(pids) == 0 {
				return err // the cut went with the pod
			}
			return s.Unblock(ctx, at)
		},
		lasts: 5 * time.Second, atMost: 20 * time.Second,
	}, s.Block(ctx, at, from...)
}

func lossy(percent int) func(context.Context, *stage, state, int) (wound, error) {
	return func(ctx context.Context, s *stage, now state, _ int) (wound, error) {
		node := now.at().Node
		return wound{
			heal: func(ctx context.Context) error { return s.Lose(ctx, node, 0) },
		}, s.Lose(ctx, node, percent)
	}
}

func powerLoss(ctx context.Context, s *stage, now state, _ int) (wound, error) {
	var nodes []string
	for _, role := range roles {
		nodes = append(nodes, now.brokers[role].Node)
	}
	if nodes[0] == nodes[1] {
		return wound{heal: nothing}, fmt.Errorf("both brokers are on %s", nodes[0])
	}
	return wound{
		heal: func(ctx context.Context) error {
			return errors.Join(s.PowerOn(ctx, nodes...), s.restartWriters(ctx, nodes...))
		},
		lasts: 3 * time.Second,
	}, s.PowerOff(ctx, nodes...)
}
