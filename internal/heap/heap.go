// Package heap spares a program that ends within milliseconds most of its
// garbage collections. Importing it is all: it has to act before main does,
// since what the packages of other modules set up before main fills the heap
// to where the first collections begin. (Packages without unmet imports are
// initialised in the order of their paths, this one among the first.) Where
// GOGC is set, it leaves things be. It is for main packages alone.
package heap

import (
	"os"
	"runtime/debug"
)

// percent lets a heap of a few megabytes grow to some twenty before the first
// collection, at the price of up to that much more memory.
const percent = 400

var _ = relax()

func relax() int {
	if os.Getenv("GOGC") != "" {
		return 0
	}
	return debug.SetGCPercent(percent)
}
