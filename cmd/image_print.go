package cmd

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/docker/go-units"

	"github.com/mosqbuild/mosqbuild/image/inspect"
)

// printImage writes a description for people.
func printImage(w io.Writer, d inspect.Description) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells ...string) {
		for i := range cells {
			cells[i] = shown(cells[i])
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	setting := func(key, value string) {
		if value != "" {
			line(key+":", value)
		}
	}
	if d.Index != nil {
		setting("index", d.Index.Digest)
		for _, p := range d.Index.Platforms {
			line(p.Platform+":", p.Digest)
		}
		line("")
	}
	setting("digest", d.Digest)
	setting("platform", d.Platform)
	if !d.Created.IsZero() {
		setting("created", d.Created.UTC().Format(time.RFC3339))
	}
	setting("size", units.HumanSize(float64(d.Size))+", compressed")
	setting("user", d.Config.User)
	setting("command", words(append(slices.Clone(d.Config.Entrypoint), d.Config.Cmd...)))
	setting("environment", words(d.Config.Env))
	setting("folder", d.Config.WorkingDir)
	setting("ports", words(d.Config.Ports))
	setting("volumes", words(d.Config.Volumes))
	setting("stop signal", d.Config.StopSignal)
	line("")
	line("LABEL", "VALUE")
	for _, k := range slices.Sorted(maps.Keys(d.Labels)) {
		line(k, d.Labels[k])
	}
	line("")
	line("LAYER", "SIZE", "UNPACKED", "ENTRIES", "WHAT", "DIGEST")
	for i, l := range d.Layers {
		line(strconv.Itoa(i), units.HumanSize(float64(l.Size)), units.HumanSize(float64(l.Unpacked)), strconv.Itoa(l.Entries), l.What, l.Digest)
	}
	line("")
	line("PACKAGE", "VERSION", "LICENCE")
	for _, p := range d.Packages {
		line(p.Name, p.Version, p.License)
	}
	line("")
	line("MODE", "OWNER", "SIZE", "LAYER", "FILE")
	for _, f := range d.Files {
		line(f.Mode, fmt.Sprintf("%d:%d", f.UID, f.GID), strconv.FormatInt(f.Size, 10), strconv.Itoa(f.Layer), fileName(f))
	}
	return t.Flush()
}

// fileName is a file's path, and what else it is than a plain file.
func fileName(f inspect.File) string {
	switch f.Type {
	case "file":
		return f.Path
	case "folder":
		return f.Path + "/"
	case "link":
		return f.Path + " -> " + f.Target
	}
	return f.Path + " (" + strings.TrimSpace(f.Type+" "+f.Target) + ")"
}

var longSum = regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`)

// printChanges writes changes for people, a line each.
func printChanges(w io.Writer, changes []inspect.Change) error {
	for _, c := range changes {
		before, after := longSum.ReplaceAllString(shown(c.Before), "$1"), longSum.ReplaceAllString(shown(c.After), "$1")
		line := strings.TrimLeft(shown(c.Platform)+" "+c.Kind+" "+shown(c.Name), " ")
		switch c.Op {
		case inspect.Added:
			line = "+ " + line + ": " + after
		case inspect.Removed:
			line = "- " + line + ": " + before
		default:
			line = "~ " + line + ": " + c.What + ": " + before + " -> " + after
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// words are joined so that what holds a space or nothing can be told.
func words(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		if quoted[i] = s; s == "" || strings.Contains(s, " ") {
			quoted[i] = strconv.Quote(s)
		}
	}
	return strings.Join(quoted, " ")
}

// shown quotes what could do something to a terminal: images come from anybody.
func shown(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	return strconv.Quote(s)
}
