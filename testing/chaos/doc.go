// Command chaos breaks a highly available pair in every way it can think of, on
// a real cluster, and measures what clients notice:
//
//	go run ./testing/chaos [--profile full|short] [--duration 20m] [--seed N]
//		[--only TEXT] [--runs N] [--format markdown] [--write FILE]
//
// It brings up three nodes and a place for clients, deploys what "mosqbuild
// render" says for the profile ha, and has publishers and subscribers talk
// through the clients' Service, 20 messages a second each. After each fault it
// waits until the pair is ready again, and compares: the longest time without a
// message, what was acknowledged but never came or came twice, what both brokers
// have retained with what was set and deleted, be it again and again or once before
// the fault, whether a client that stayed with the old broker had anything
// acknowledged after the new one's first answer, and whether there were as many
// switches as there had to be. Then come random faults, several at once; the seed is printed. Last,
// the loop that people write instead is measured in the same way.
//
// The table goes to stdout, all else to stderr; the last line is the verdict,
// "chaos: PASS" or "chaos: FAIL", which is also the exit code. A target that is
// missed fails the profile full; short, for noisy machines, allows three times as
// much. So does a whole table that took longer than 100 minutes, or short than five,
// from the cluster's being up.
//
// It needs root, Debian's packages that make cluster-up installs, and packages
// built by "mosqbuild packages build".
package main
