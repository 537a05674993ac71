package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of one document: beyond them it is no manifest but a bomb.
const (
	maxNodes = 200_000
	maxDepth = 100
)

// parseYAML returns the documents of a stream, with aliases and merge keys
// replaced by what they stand for.
func parseYAML(data []byte) ([]*yaml.Node, error) {
	var docs []*yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		if len(doc.Content) == 0 {
			continue
		}
		left := maxNodes
		root, err := plain(doc.Content[0], &left, 0)
		if err != nil {
			return nil, err
		}
		docs = append(docs, root)
	}
}

// plain copies a node without aliases and merge keys. A long value counts as several,
// for an alias costs as much as what it stands for.
func plain(n *yaml.Node, left *int, depth int) (*yaml.Node, error) {
	if *left -= 1 + len(n.Value)>>10; *left < 0 || depth > maxDepth {
		return nil, fmt.Errorf("line %d: more than %d values or %d levels", n.Line, maxNodes, maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		return plain(n.Alias, left, depth+1)
	}
	c := *n
	c.Content = nil
	var merged []*yaml.Node
	for i, child := range n.Content {
		p, err := plain(child, left, depth+1)
		if err != nil {
			return nil, err
		}
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Tag == "!!merge" {
			c.Content = c.Content[:len(c.Content)-1]
			merged = append(merged, p)
			continue
		}
		c.Content = append(c.Content, p)
	}
	if len(merged) > 0 {
		there := map[string]bool{}
		for i := 0; i < len(c.Content); i += 2 {
			there[c.Content[i].Value] = true
		}
		for _, m := range merged {
			merge(&c, m, there)
		}
	}
	return &c, nil
}

// merge adds the entries that a merge key brings and the mapping lacks; there
// are the keys that it has.
func merge(into, from *yaml.Node, there map[string]bool) {
	if from.Kind == yaml.SequenceNode {
		for _, m := range from.Content {
			merge(into, m, there)
		}
		return
	}
	for i := 0; from.Kind == yaml.MappingNode && i+1 < len(from.Content); i += 2 {
		if key := from.Content[i].Value; !there[key] {
			there[key] = true
			into.Content = append(into.Content, from.Content[i], from.Content[i+1])
		}
	}
}

// child returns the key and the value of a mapping's entry, nil where it has
// none. The last of two holds, as in Kubernetes.
func child(n *yaml.Node, key string) (k, v *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			k, v = n.Content[i], n.Content[i+1]
		}
	}
	return k, v
}

// at follows a path of keys (string) and indexes (int) as far as it goes and
// returns the value there and the line of its key. ok tells whether it went to
// the end.
func at(n *yaml.Node, path ...any) (value *yaml.Node, line int, ok bool) {
	line = n.Line
	for _, step := range path {
		switch s := step.(type) {
		case string:
			k, v := child(n, s)
			if v == nil {
				return n, line, false
			}
			n, line = v, k.Line
		case int:
			if n.Kind != yaml.SequenceNode || s < 0 || s >= len(n.Content) {
				return n, line, false
			}
			n = n.Content[s]
			line = n.Line
		}
	}
	return n, line, true
}

// text is the scalar at a path, or "".
func text(n *yaml.Node, path ...any) string {
	v, _, ok := at(n, path...)
	if !ok || v.Kind != yaml.ScalarNode || v.Tag == "!!null" {
		return ""
	}
	return v.Value
}

// value turns a node into what encoding/json makes of the same document.
func value(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = value(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		s := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			s = append(s, value(c))
		}
		return s
	}
	return scalar(n)
}

func scalar(n *yaml.Node) any {
	switch scalarTag(n) {
	case "!!null":
		return nil
	case "!!bool":
		if n.Value != "" && strings.Contains("tTyY", n.Value[:1]) { // !!bool may stand before nothing
			return true
		}
		return n.Value == "on" || n.Value == "On" || n.Value == "ON"
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return i
		}
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && f-f == 0 {
			return f
		}
	}
	return n.Value
}

// scalarTag is a scalar's type as Kubernetes' YAML reader sees it: to it, the
// words yes, no, on and off are booleans.
func scalarTag(n *yaml.Node) string {
	if n.Tag == "!!str" && n.Style == 0 {
		switch n.Value {
		case "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF":
			return "!!bool"
		}
	}
	return n.Tag
}
