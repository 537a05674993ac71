package cmd

import (
	"fmt"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// formatText is the default of --format; formatJSON is the other.
const formatText = "text"

// checkFormat reports a --format that is neither.
func checkFormat(format string) error {
	if format != formatText && format != formatJSON {
		return fault.With(fault.Usage, fmt.Errorf("--format %q is neither text nor json", format))
	}
	return nil
}
