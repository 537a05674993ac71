package lint

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// expand returns the objects of a document: the items of a List, the objects of
// an OpenShift Template with the values its parameters have by default, or the
// one object that it is. What is no object is left out.
func expand(file string, n *yaml.Node) []*object {
	kind := text(n, "kind")
	if n.Kind != yaml.MappingNode || kind == "" || text(n, "apiVersion") == "" {
		return nil
	}
	switch {
	case strings.HasSuffix(kind, "List") && sequence(n, "items") != nil:
		return expandAll(file, sequence(n, "items"))
	case kind == "Template" && sequence(n, "objects") != nil:
		objects := sequence(n, "objects")
		substitute(objects, parameters(n))
		return expandAll(file, objects)
	}
	return []*object{newObject(file, n)}
}

func expandAll(file string, list *yaml.Node) []*object {
	var objects []*object
	for _, item := range list.Content {
		objects = append(objects, expand(file, item)...)
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

// substitute puts values for ${NAME} and, as what they are instead of as
// strings, for ${{NAME}}.
func substitute(n *yaml.Node, values map[string]string) {
	for _, c := range n.Content {
		substitute(c, values)
	}
	if n.Kind != yaml.ScalarNode || !strings.Contains(n.Value, "${") {
		return
	}
	for name, v := range values {
		if n.Value == "${{"+name+"}}" {
			n.Value, n.Tag, n.Style = v, "", 0
			n.Tag = n.ShortTag()
			return
		}
		n.Value = strings.ReplaceAll(n.Value, "${"+name+"}", v)
	}
}
