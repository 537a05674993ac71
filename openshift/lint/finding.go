package lint

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity says whether what was found breaks something.
type Severity string

// The severities of findings.
const (
	// Error is a fault: it breaks the deployment, loses messages or opens it.
	Error Severity = "error"
	// Warning is a risk, or a fault in waiting.
	Warning Severity = "warning"
)

// Finding is one fault at one place.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	File     string   `json:"file"`
	Line     int      `json:"line"` // from 1
	Message  string   `json:"message"`
	Fix      string   `json:"fix"` // what to do, for a person
}

// String is the finding in one line, without its fix.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s %s %s", f.File, f.Line, f.Severity, f.Code, f.Message)
}

// place is a line of a file.
type place struct {
	file string
	line int
}

// report collects findings; the same one twice is kept once.
type report struct {
	findings []Finding
	seen     map[Finding]bool
}

func (r *report) add(code string, at place, fix, format string, args ...any) {
	f := Finding{Code: code, Severity: severityOf(code), File: at.file, Line: max(at.line, 1), Message: fmt.Sprintf(format, args...), Fix: fix}
	if !r.seen[f] {
		r.seen[f] = true
		r.findings = append(r.findings, f)
	}
}

// sorted are the findings by file, line and code.
func (r *report) sorted() []Finding {
	slices.SortStableFunc(r.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	return r.findings
}
