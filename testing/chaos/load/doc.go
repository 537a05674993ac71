// Package load has the clients that the chaos program measures with: publishers
// and subscribers that reconnect by themselves, a writer of retained messages,
// and one that stays with the broker it was led to. They run in a process of
// their own, within the network of a place of the cluster, and say what they
// see as lines of JSON, with the time of the clock that all processes of the
// machine share.
//
// The MQTT client is this package's own: 3.1.1, over TCP, with every wait
// bounded, which libraries don't do alike. A connection has 0.5 s to come about,
// CONNACK included; its keepalive is 1 s: it asks every half of that, and counts
// as lost after the whole of it without a word. The next try is 0.1 s later.
package load
