package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/probe"
)

// checkPrinter returns the function that prints checks in the format.
func checkPrinter(format string) (func(io.Writer, []probe.Check) error, error) {
	switch format {
	case formatText, "table": // as it was called once
		return printTable, nil
	case "json":
		return printJSON, nil
	}
	return nil, fault.With(fault.Usage, fmt.Errorf("--format %q is neither text nor json", format))
}

func printJSON(w io.Writer, checks []probe.Check) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		OK     bool          `json:"ok"`
		Checks []probe.Check `json:"checks"`
	}{probe.Passed(checks), checks})
}

func printTable(w io.Writer, checks []probe.Check) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LISTENER\tPROTOCOL\tCHECK\tRESULT\tTIME\tDETAIL")
	for _, c := range checks {
		elapsed := fmt.Sprintf("%.1f ms", c.Elapsed.Seconds()*1000)
		if c.Skipped {
			elapsed = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Listener, c.Protocol, c.Name, result(c), elapsed, c.Detail)
	}
	return t.Flush()
}

func result(c probe.Check) string {
	switch {
	case c.OK && c.Skipped:
		return "skipped"
	case c.OK:
		return "ok"
	case c.Skipped:
		return "not tried"
	}
	return "FAILED"
}

// failure sums up the checks that failed; nil where none did.
func failure(checks []probe.Check) error {
	failed := 0
	for _, c := range checks {
		if !c.OK {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	err := fmt.Errorf("%d of %d checks failed", failed, len(checks))
	if failed == len(checks) {
		err = fault.Hint(err, "is the broker running there? mosqbuild run starts one on 127.0.0.1")
	}
	return fault.With(fault.CheckFailed, err)
}
