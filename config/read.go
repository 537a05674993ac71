package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is one fault of a mosqbuild.yaml.
type Problem struct {
	File string // as given to Read
	Line int    // from 1; 0 where the fault is something missing
	Path string // as in "listeners[1].port"; "" is the whole document
	Text string
}

// Error returns "FILE:LINE: PATH: TEXT" without the parts that are unknown.
func (p Problem) Error() string {
	out := p.File + ":"
	if p.Line > 0 {
		out += strconv.Itoa(p.Line) + ":"
	}
	if p.Path != "" {
		out += " " + p.Path + ":"
	}
	return out + " " + p.Text
}

// Read parses the YAML document data, called file in errors, over Default().
// A list that the document gives replaces the default one. The error joins a
// Problem for every fault, in the order of their lines.
func Read(file string, data []byte) (Config, error) {
	cfg := Default()
	err := ReadStrict(file, data, &cfg, func() []Problem { return cfg.problems() })
	return cfg, err
}

// ReadStrict parses the one YAML document data, called file in errors, into
// what into points to, where a key that isn't known is a fault. Then check
// names what else is wrong, each a Problem with a Path, whose line is found. The
// error joins a Problem for every fault, in the order of their lines.
func ReadStrict(file string, data []byte, into any, check func() []Problem) error {
	doc := document{file: file, lines: map[string]int{}}
	if err := yaml.Unmarshal(data, &doc.root); err != nil {
		return join(doc.problems(err))
	}
	var bad []Problem
	if len(doc.root.Content) > 0 { // else empty, or comments alone
		doc.index(&doc.root, "")
		dec := yaml.NewDecoder(bytes.NewReader(data))
		dec.KnownFields(true)
		bad = doc.problems(dec.Decode(into))
		if !errors.Is(dec.Decode(new(yaml.Node)), io.EOF) {
			bad = append(bad, Problem{File: file, Text: "there is more than one document; leave one"})
		}
	}
	for _, p := range check() {
		p.File, p.Line = file, doc.line(p.Path)
		// A value of the wrong type was left out, and so looks missing as well.
		if !slices.ContainsFunc(bad, func(b Problem) bool { return b.Path != "" && strings.HasPrefix(p.Path, b.Path) }) {
			bad = append(bad, p)
		}
	}
	slices.SortStableFunc(bad, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return join(bad)
}

func join(bad []Problem) error {
	errs := make([]error, len(bad))
	for i, p := range bad {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// document remembers where each path of a YAML document stands.
type document struct {
	file  string
	root  yaml.Node
	lines map[string]int
	paths []place
}

type place struct {
	line  int
	path  string
	value string // of a scalar
}

func (d *document) index(n *yaml.Node, path string) {
	if path != "" {
		d.lines[path] = n.Line
	}
	switch n.Kind {
	case yaml.DocumentNode:
		d.index(n.Content[0], path)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			child := strings.TrimPrefix(path+"."+key.Value, ".")
			d.index(n.Content[i+1], child)
			d.lines[child] = key.Line
			d.paths = append(d.paths, place{key.Line, child, n.Content[i+1].Value})
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			child := fmt.Sprintf("%s[%d]", path, i)
			d.index(item, child)
			d.paths = append(d.paths, place{item.Line, child, item.Value})
		}
	}
}

// line returns the line of path, or of the nearest path around it.
func (d *document) line(path string) int {
	for ; path != ""; path = path[:max(strings.LastIndexAny(path, ".["), 0)] {
		if line, ok := d.lines[path]; ok {
			return line
		}
	}
	return 0
}

// pathAt returns the path of what stands on line: the first that is meant, or
// the deepest.
func (d *document) pathAt(line int, meant func(place) bool) string {
	on := slices.DeleteFunc(slices.Clone(d.paths), func(p place) bool { return p.line != line })
	if len(on) == 0 {
		return ""
	}
	if i := slices.IndexFunc(on, meant); i >= 0 {
		return on[i].path
	}
	return slices.MaxFunc(on, func(a, b place) int { return cmp.Compare(len(a.path), len(b.path)) }).path
}

// named means the setting of that name.
func named(name string) func(place) bool {
	return func(p place) bool { return p.path == name || strings.HasSuffix(p.path, "."+name) }
}

// valued means the setting of a value as the YAML package quotes it: in
// backquotes, and cut short when it is long.
func valued(quoted string) func(place) bool {
	begin, cut := strings.CutSuffix(strings.Trim(quoted, "`"), "...")
	return func(p place) bool {
		return quoted != "" && (p.value == begin || cut && strings.HasPrefix(p.value, begin))
	}
}

var (
	atLine     = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	unknownKey = regexp.MustCompile(`^field (\S+) not found in type \S+$`)
	wrongType  = regexp.MustCompile("^cannot unmarshal (?:!!(\\w+)) ?(`.*`)? ?into (\\S+)$")
)

// problems turns what the YAML package says into Problems.
func (d *document) problems(err error) []Problem {
	var typed *yaml.TypeError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &typed):
		return []Problem{d.problem(err.Error())}
	}
	var out []Problem
	for _, text := range typed.Errors {
		out = append(out, d.problem(text))
	}
	return out
}

func (d *document) problem(text string) Problem {
	m := atLine.FindStringSubmatch(text)
	if m == nil {
		return Problem{File: d.file, Text: strings.TrimPrefix(text, "yaml: ")}
	}
	line, _ := strconv.Atoi(m[1])
	p := Problem{File: d.file, Line: line, Text: m[2]}
	if k := unknownKey.FindStringSubmatch(m[2]); k != nil {
		p.Path, p.Text = d.pathAt(line, named(k[1])), "there is no such setting"
	} else if k := wrongType.FindStringSubmatch(m[2]); k != nil {
		p.Path, p.Text = d.pathAt(line, valued(k[2])), strings.TrimSpace("wants "+typeNames(k[3])+", not "+typeNames(k[1])+" "+k[2])
	}
	return p
}

// typeNames says a Go or YAML type in the words of YAML.
func typeNames(t string) string {
	switch {
	case t == "str" || t == "string":
		return "text"
	case t == "int":
		return "a whole number"
	case t == "bool":
		return "true or false"
	case t == "seq" || strings.HasPrefix(t, "[]"):
		return "a list"
	case t == "map" || strings.HasPrefix(t, "map[") || strings.Contains(t, ".") && !strings.HasPrefix(t, "time."):
		return "a mapping"
	}
	return t
}
