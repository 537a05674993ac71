package lint

import (
	"encoding/json"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// misfit is a value that an API type has no place for.
type misfit struct {
	line int
	path string // "spec.template"
	kind misfitKind
	want string // for wrongType: what belongs there; for unknownField: the empty field before it
}

type misfitKind int

const (
	unknownField misfitKind = iota
	repeatedField
	wrongType
)

// misfits holds a node against a type, as the API server's strict validation
// does.
func misfits(n *yaml.Node, t reflect.Type, path string) []misfit {
	if n.Kind == yaml.ScalarNode && (n.Tag == "!!null" || strings.Contains(n.Value, "${{")) {
		return nil
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if _, ok := reflect.New(t).Interface().(json.Unmarshaler); ok {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return structMisfits(n, t, path)
	case reflect.Map:
		return mapMisfits(n, t, path)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return scalarMisfit(n, path, "text in base64", "!!str", "!!binary")
		}
		return sliceMisfits(n, t, path)
	case reflect.String:
		return scalarMisfit(n, path, "a string: put it in quotes", "!!str", "!!timestamp", "!!binary")
	case reflect.Bool:
		return scalarMisfit(n, path, "true or false: take the quotes away", "!!bool")
	case reflect.Int, reflect.Int32, reflect.Int64:
		return scalarMisfit(n, path, "a whole number: take the quotes away", "!!int", "!!float")
	}
	return nil
}

func structMisfits(n *yaml.Node, t reflect.Type, path string) []misfit {
	if n.Kind != yaml.MappingNode {
		return []misfit{{n.Line, path, wrongType, "a mapping of fields"}}
	}
	fields := map[string]reflect.Type{}
	jsonFields(t, fields)
	return entries(n, path, func(key string) (reflect.Type, bool) { f, ok := fields[key]; return f, ok })
}

func mapMisfits(n *yaml.Node, t reflect.Type, path string) []misfit {
	if n.Kind != yaml.MappingNode {
		return []misfit{{n.Line, path, wrongType, "a mapping"}}
	}
	return entries(n, path, func(string) (reflect.Type, bool) { return t.Elem(), true })
}

// entries holds each entry of a mapping against the type of its key.
func entries(n *yaml.Node, path string, typeOf func(string) (reflect.Type, bool)) []misfit {
	var found []misfit
	seen := map[string]bool{}
	empty := ""
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		below := strings.TrimPrefix(path+"."+key.Value, ".")
		t, ok := typeOf(key.Value)
		switch {
		case !ok:
			found = append(found, misfit{key.Line, below, unknownField, empty})
		case seen[key.Value]:
			found = append(found, misfit{key.Line, below, repeatedField, ""})
		default:
			found = append(found, misfits(n.Content[i+1], t, below)...)
		}
		seen[key.Value] = true
		if ok {
			empty = ""
			if n.Content[i+1].Tag == "!!null" {
				empty = key.Value
			}
		}
	}
	return found
}

func sliceMisfits(n *yaml.Node, t reflect.Type, path string) []misfit {
	if n.Kind != yaml.SequenceNode {
		return []misfit{{n.Line, path, wrongType, "a list"}}
	}
	var found []misfit
	for _, c := range n.Content {
		found = append(found, misfits(c, t.Elem(), path)...)
	}
	return found
}

func scalarMisfit(n *yaml.Node, path, want string, tags ...string) []misfit {
	if n.Kind == yaml.ScalarNode {
		for _, tag := range tags {
			if scalarTag(n) == tag {
				return nil
			}
		}
	}
	return []misfit{{n.Line, path, wrongType, want}}
}

// jsonFields collects a struct's fields by the name they have in JSON, those of
// inlined structs too.
func jsonFields(t reflect.Type, fields map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && f.Anonymous:
			ft := f.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			jsonFields(ft, fields)
		default:
			fields[name] = f.Type
		}
	}
}
