package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mosqbuild/mosqbuild/openshift/lint"
)

// wanted leaves out what the flags say.
func (o lintOptions) wanted(findings []lint.Finding) []lint.Finding {
	return slices.DeleteFunc(findings, func(f lint.Finding) bool {
		return slices.Contains(o.Ignore, f.Code) || o.Severity == string(lint.Error) && f.Severity != lint.Error
	})
}

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

// ruleCodes are the codes of all rules, a blank between.
func ruleCodes() string {
	var codes []string
	for _, r := range lint.Rules() {
		codes = append(codes, r.Code)
	}
	return strings.Join(codes, " ")
}
