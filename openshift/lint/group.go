package lint

import "path/filepath"

// groups parts the inputs into those to be seen together. That is all of them,
// unless one object is defined twice, as in a folder of examples or of
// overlays: then each folder is by itself, and where that isn't enough, each
// file.
func groups(inputs []Input) [][]Input {
	if !ambiguous(inputs) {
		return [][]Input{inputs}
	}
	byFolder := parted(inputs, filepath.Dir)
	if len(byFolder) == 1 {
		return parted(inputs, func(name string) string { return name })
	}
	var all [][]Input
	for _, g := range byFolder {
		all = append(all, groups(g)...)
	}
	return all
}

// ambiguous tells whether two files define one object.
func ambiguous(inputs []Input) bool {
	files := map[[3]string]string{}
	for _, in := range inputs {
		p := &project{}
		if kindOf(in) != isYAML || p.loadYAML(in) != nil {
			continue
		}
		for _, o := range p.objects {
			id := [3]string{o.kind, o.namespace, o.name}
			if file, ok := files[id]; ok && file != in.Name {
				return true
			}
			files[id] = in.Name
		}
	}
	return false
}

// parted keeps the order in which the parts come first.
func parted(inputs []Input, by func(string) string) [][]Input {
	var parts [][]Input
	index := map[string]int{}
	for _, in := range inputs {
		key := by(in.Name)
		i, ok := index[key]
		if !ok {
			i, parts = len(parts), append(parts, nil)
			index[key] = i
		}
		parts[i] = append(parts[i], in)
	}
	return parts
}
