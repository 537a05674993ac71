package lint

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxValues is how many bytes the parameters' values may add to a file's
// Templates: beyond them it is no manifest but a bomb.
const maxValues = maxInput

// expand returns the objects of a document: the items of a List, the objects of
// an OpenShift Template with the values its parameters have by default, or the
// one object that it is. What is no object is left out. left is of maxValues.
func expand(file string, n *yaml.Node, left *int) []*object {
	kind := text(n, "kind")
	if n.Kind != yaml.MappingNode || kind == "" || text(n, "apiVersion") == "" {
		return nil
	}
	switch {
	case strings.HasSuffix(kind, "List") && sequence(n, "items") != nil:
		return expandAll(file, sequence(n, "items"), left)
	case kind == "Template" && sequence(n, "objects") != nil:
		objects := sequence(n, "objects")
		substitute(objects, parameters(n), left)
		return expandAll(file, objects, left)
	}
	return []*object{newObject(file, n)}
}

func expandAll(file string, list *yaml.Node, left *int) []*object {
	var objects []*object
	for _, item := range list.Content {
		objects = append(objects, expand(file, item, left)...)
	}
	return objects
}

func sequence(n *yaml.Node, key string) *yaml.Node {
	if _, v := child(n, key); v != nil && v.Kind == yaml.SequenceNode {
		return v
	}
	return nil
}

// parameters are a Template's parameters that have a value.
func parameters(n *yaml.Node) map[string]string {
	values := map[string]string{}
	if list := sequence(n, "parameters"); list != nil {
		for _, p := range list.Content {
			if v := text(p, "value"); v != "" {
				values[text(p, "name")] = v
			}
		}
	}
	return values
}

var (
	reference      = regexp.MustCompile(`\$\{(\w+)\}`)
	wholeReference = regexp.MustCompile(`^\$\{\{(\w+)\}\}$`)
)

// substitute puts values for ${NAME} and, as what they are instead of as
// strings, for ${{NAME}}: once each, as OpenShift does, so that ${NAME} in a
// value stays. left is how many bytes more there may be of values; one that is
// too long for that stays a reference, too.
func substitute(n *yaml.Node, values map[string]string, left *int) {
	for _, c := range n.Content {
		substitute(c, values, left)
	}
	if n.Kind != yaml.ScalarNode {
		return
	}
	take := func(name string) (string, bool) {
		v, ok := values[name]
		ok = ok && len(v) <= *left
		if ok {
			*left -= len(v)
		}
		return v, ok
	}
	if m := wholeReference.FindStringSubmatch(n.Value); m != nil {
		if v, ok := take(m[1]); ok {
			n.Value, n.Tag, n.Style = v, "", 0
			n.Tag = n.ShortTag()
		}
		return
	}
	text := reference.ReplaceAllStringFunc(n.Value, func(ref string) string {
		if v, ok := take(ref[2 : len(ref)-1]); ok {
			return v
		}
		return ref
	})
	if strings.Count(text, "\n") != strings.Count(n.Value, "\n") {
		n.Style &^= yaml.LiteralStyle // its lines are no longer those of the file
	}
	n.Value = text
}
