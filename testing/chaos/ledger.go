package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mosqbuild/mosqbuild/testing/chaos/load"
)

// ledger is what was done to retained messages, by topic, in order.
type ledger map[string][]load.Event

// note adds what events tell.
func (l ledger) note(events []load.Event) {
	for _, e := range events {
		if e.Kind == load.Acked && e.Topic != "" {
			if done := l[e.Topic]; len(done) == 0 || done[len(done)-1].N < e.N {
				l[e.Topic] = append(done, e)
			}
		}
	}
}

// margin is how long an acknowledged change may take to reach the standby.
const margin = time.Second

// judge compares what a broker has with what was done. A topic may have its
// last value from before the fault, or a later one: changes of the last moment
// may go with the broker. Anything else is wrong, such as a message that comes
// back after its deletion. stale counts those that have another value than
// the last. Where forgets is true, nobody may have outlived the fault, and any topic
// may have nothing: gone counts those, and they are neither wrong nor stale.
func (l ledger) judge(has map[string]string, fault time.Duration, forgets bool) (wrong []string, stale, gone int) {
	for _, topic := range slices.Sorted(maps.Keys(l)) {
		done := l[topic]
		known := 0 // the first that may still show
		for i, e := range done {
			if e.At < fault-margin {
				known = i
			}
		}
		value := has[topic]
		last := done[len(done)-1].Value
		if forgets && value == "" && last != "" {
			gone++
			continue
		}
		match := slices.ContainsFunc(done[known:], func(e load.Event) bool { return e.Value == value })
		// Before the first of them there may have been nothing.
		if !match && value == "" && done[known].At >= fault-margin {
			match = true
		}
		if !match {
			wrong = append(wrong, fmt.Sprintf("retained: %s is %q, after the changes %s", topic, value, values(done[known:])))
		}
		if value != last {
			stale++
		}
	}
	return wrong, stale, gone
}

// forget keeps the last change of each topic alone: the pair agrees on it.
func (l ledger) forget() {
	for topic, done := range l {
		l[topic] = slices.Clone(done[len(done)-1:])
	}
}

// settle has the ledger agree with what the brokers have, after a loss was
// noted: the next run isn't to pay for it.
func (l ledger) settle(has map[string]string) {
	l.forget()
	for topic, done := range l {
		done[0].Value = has[topic]
	}
}

func values(done []load.Event) string {
	var all []string
	for _, e := range done {
		all = append(all, fmt.Sprintf("%q", e.Value))
	}
	return strings.Join(all, ", ")
}

// differences are the topics that two brokers don't agree on.
func differences(a, b map[string]string) []string {
	var all []string
	for topic := range a {
		if a[topic] != b[topic] {
			all = append(all, topic)
		}
	}
	for topic := range b {
		if _, ok := a[topic]; !ok {
			all = append(all, topic)
		}
	}
	slices.Sort(all)
	return all
}
