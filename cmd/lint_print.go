package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

func printFindings(w io.Writer, format string, findings []lint.Finding) error {
	if format == "json" {
		return printAsJSON(w, append([]lint.Finding{}, findings...))
	}
	for _, f := range findings {
		if _, err := fmt.Fprintf(w, "%s\n  fix: %s\n", f, f.Fix); err != nil {
			return err
		}
	}
	return nil
}

func printRules(w io.Writer, format string) error {
	if format == "json" {
		return printAsJSON(w, lint.Rules())
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CODE\tSEVERITY\tWHAT")
	for _, r := range lint.Rules() {
		fmt.Fprintf(t, "%s\t%s\t%s\n", r.Code, r.Severity, r.Title)
	}
	return t.Flush()
}

func printAsJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
