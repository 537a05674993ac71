// Package failover watches over a pair of brokers and leads their clients to
// the one that can serve. Each of its replicas, the controllers, asks both
// brokers and their guards and tells the elected leader what it hears; the
// leader observes, has Decide say what to do, and does that. All that must
// outlive a leader is in one record, in an annotation of the clients' Service.
//
// The package talks neither to the API server nor MQTT: it is given what does.
// It doesn't stop brokers either; that is their guards' part (package agent).
package failover
