// Package cmd is the command line: one file a command, each of which maps
// flags to options of a library package and prints what that returns. Results
// go to stdout, everything else to stderr. It holds the only readers of the
// environment, the clock and the home folder.
package cmd
