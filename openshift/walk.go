package openshift

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// walk visits every string below v, in a stable order, with its path (keys,
// and "0", "1"… in lists), and puts in its place what visit returns.
func walk(v any, path []string, visit func(path []string, s string) string) any {
	switch v := v.(type) {
	case string:
		return visit(path, v)
	case []any:
		for i := range v {
			v[i] = walk(v[i], append(slices.Clip(path), strconv.Itoa(i)), visit)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			v[key] = walk(v[key], append(slices.Clip(path), key), visit)
		}
	}
	return v
}

// Values are what a deployment was rendered with, so that encoders can tell
// which of the objects' fields follow from it.
type Values struct {
	Name, Namespace, Host     string
	Image, AgentImage, Memory string
}

// hosts are the outside names in objects: v's, and those of the Routes, which
// may be made from it.
func (v Values) hosts(objects []map[string]any) []string {
	found := []string{v.Host}
	for _, o := range objects {
		if o["kind"] != "Route" {
			continue
		}
		if spec, ok := o["spec"].(map[string]any); ok {
			host, _ := spec["host"].(string)
			found = append(found, host)
		}
	}
	slices.Sort(found)
	return slices.DeleteFunc(slices.Compact(found), func(h string) bool { return h == "" })
}

// Around a host in a rule of Traefik's.
const (
	sniPrefix = "HostSNI(`"
	sniSuffix = "`)"
)

// cutHost splits s into one of hosts and what a router's rule has around it.
func cutHost(s string, hosts []string) (before, host, after string, ok bool) {
	host = s
	if rule, found := strings.CutPrefix(s, sniPrefix); found {
		before, host = sniPrefix, rule
		if host, found = strings.CutSuffix(rule, sniSuffix); found {
			after = sniSuffix
		}
	}
	return before, host, after, slices.Contains(hosts, host)
}

// isContent tells whether path leads into the files of a Secret or ConfigMap.
func isContent(path []string) bool {
	return path[0] == "data" || path[0] == "stringData" || path[0] == "binaryData"
}

// trees are the trees of all objects' fields.
func trees(objs []Object) ([]map[string]any, error) {
	all := make([]map[string]any, len(objs))
	for i, o := range objs {
		var err error
		if all[i], err = fields(o); err != nil {
			return nil, encodingError(i, err)
		}
	}
	return all, nil
}

// walkTo is the map at path below v, nil where there is none.
func walkTo(v any, path []string) map[string]any {
	for _, p := range path {
		switch node := v.(type) {
		case map[string]any:
			v = node[p]
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	found, _ := v.(map[string]any)
	return found
}
