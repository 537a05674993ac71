// Package model runs the shipped decisions of the failover, failover.Decide,
// agent.Decide and agent.Ledger, in a simulated cluster: an API server, a
// Lease, three controllers, two guards with their brokers, the bridge between
// them, clients, and whatever can go wrong with each. Time is virtual and all
// chance comes from one seed, so that what was found once is found again.
//
// What a runtime does around those functions is in rules.go, where it isn't
// exported by the runtime itself. The package is for tests alone.
package model
