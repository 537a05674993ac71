package inspect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Change is one difference between two images.
type Change struct {
	// Op is "added", "removed" or "changed".
	Op string `json:"op"`
	// Kind is "package", "file", "config" or "label", or of indexes "platform".
	Kind string `json:"kind"`
	// Name is a package's name, a file's path, a setting, a label or a platform.
	Name string `json:"name"`
	// What says, where Op is "changed", which of its properties did.
	What string `json:"what,omitempty"`
	// Before and After are the property; what was added or removed, in short.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Platform is that of the images, where two indexes are compared.
	Platform string `json:"platform,omitempty"`
}

// The values of Change.Op.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// thing is something that both images may have: what it is in short, and its
// properties in the order in which they are compared.
type thing struct {
	short string
	props []prop
}

type prop struct{ what, value string }

// Compare returns how b differs from a: in packages, then in config, labels and
// files, each sorted by name. How files are spread over layers, when they were
// changed and how they are compressed makes no difference.
func Compare(a, b Description) []Change {
	changes := compare("package", packageThings(a.Packages), packageThings(b.Packages))
	changes = append(changes, compare("config", a.settings(), b.settings())...)
	changes = append(changes, compare("label", plainThings(a.Labels), plainThings(b.Labels))...)
	return append(changes, compare("file", fileThings(a.Files), fileThings(b.Files))...)
}

func compare(kind string, a, b map[string]thing) []Change {
	var changes []Change
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before, had := a[name]
		after, has := b[name]
		switch {
		case !had:
			changes = append(changes, Change{Op: Added, Kind: kind, Name: name, After: after.short})
		case !has:
			changes = append(changes, Change{Op: Removed, Kind: kind, Name: name, Before: before.short})
		default:
			for i, p := range before.props {
				if q := after.props[i]; p != q {
					changes = append(changes, Change{Op: Changed, Kind: kind, Name: name, What: p.what, Before: p.value, After: q.value})
				}
			}
		}
	}
	return changes
}

func packageThings(list []Package) map[string]thing {
	things := map[string]thing{}
	for _, p := range list {
		things[p.Name] = thing{p.Version, []prop{
			// The checksum tells apart two builds of one version.
			{"version", p.Version + " (" + p.Checksum + ")"}, {"architecture", p.Arch}, {"licence", p.License}, {"origin", p.Origin},
		}}
	}
	return things
}

func fileThings(list []File) map[string]thing {
	things := map[string]thing{}
	for _, f := range list {
		owner := fmt.Sprintf("%d:%d", f.UID, f.GID)
		t := thing{f.Type + " " + f.Mode + " " + owner, []prop{{"type", f.Type}, {"mode", f.Mode}, {"owner", owner}, {"target", f.Target}, {"content", ""}, {"attributes", ""}}}
		if f.SHA256 != "" {
			t.props[4].value = fmt.Sprintf("%d bytes, sha256:%s", f.Size, f.SHA256)
			t.short += ", " + t.props[4].value
		}
		for _, name := range slices.Sorted(maps.Keys(f.Attributes)) {
			t.props[5].value += fmt.Sprintf("%s=%x ", name, f.Attributes[name])
		}
		things[f.Path] = t
	}
	return things
}

func plainThings(values map[string]string) map[string]thing {
	things := map[string]thing{}
	for k, v := range values {
		things[k] = thing{v, []prop{{"value", v}}}
	}
	return things
}

// settings are those of the config that have a value.
func (d Description) settings() map[string]thing {
	list := func(l []string) string {
		if len(l) == 0 {
			return ""
		}
		return fmt.Sprintf("%q", l)
	}
	values := map[string]string{
		"platform": d.Platform, "user": d.Config.User, "workingDir": d.Config.WorkingDir, "stopSignal": d.Config.StopSignal,
		"entrypoint": list(d.Config.Entrypoint), "cmd": list(d.Config.Cmd),
		"ports": strings.Join(d.Config.Ports, " "), "volumes": list(d.Config.Volumes),
	}
	if !d.Created.IsZero() {
		values["created"] = d.Created.UTC().Format(time.RFC3339)
	}
	for _, e := range d.Config.Env {
		name, value, _ := strings.Cut(e, "=")
		values["env "+name] = value
	}
	maps.DeleteFunc(values, func(_, v string) bool { return v == "" })
	return plainThings(values)
}
