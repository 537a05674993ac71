// Package agent is the guard of a broker: the parent of its process, which
// starts it only when and how the record of the pair allows, stops it the moment
// that it mustn't serve any more, and tells others how it is.
//
// What to do is decided by Decide, by what counts as a permit by Ledger, and by
// what the standby lacks by comparison: all three are pure. The rest observes
// and carries out. Whether to switch is the controllers' to decide, in package
// failover.
package agent
