package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// result is what a job came to.
type result struct {
	ours, peer string
	ratio      float64 // ours to the peer's; 0 where there is none
	reached    float64 // what the target is compared with
	note       string
}

// row is a job with its result; one without figures was left out.
type row struct {
	job
	result
}

func ratio(ours, peer float64) float64 {
	if peer == 0 {
		return 0
	}
	return ours / peer
}

func (r row) missed() bool { return r.ours != "" && r.target > 0 && r.reached > r.target }

func anyMissed(rows []row) bool { return slices.ContainsFunc(rows, row.missed) }

var head = []string{"job; peer", "ours", "peer", "ratio", "to reach", ""}

func (r row) cells() []string {
	cells := []string{r.name, r.ours, r.peer, "", "", ""}
	if r.ratio > 0 {
		cells[3] = fmt.Sprintf("%.2f", r.ratio)
	}
	if r.target > 0 {
		cells[4] = strings.TrimSpace(fmt.Sprintf("≤ %.1f %s", r.target, r.unit))
	}
	switch {
	case r.ours == "":
		cells[5] = r.note
		return cells
	case r.missed():
		cells[5] = "MISSED"
	case r.target > 0:
		cells[5] = "reached"
	}
	return cells
}

// writeTable writes rows, and below them what is to be known about them.
func writeTable(out io.Writer, format string, rows []row) error {
	var b strings.Builder
	switch format {
	case "markdown":
		markdown(&b, rows)
	default:
		if err := text(&b, rows); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if r.note != "" && r.ours != "" {
			fmt.Fprintf(&b, "\n%s: %s.\n", r.name, r.note)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func markdown(b *strings.Builder, rows []row) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, r := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(r.cells(), " | "))
	}
}

func text(b *strings.Builder, rows []row) error {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r.cells(), "\t"))
	}
	return t.Flush()
}
