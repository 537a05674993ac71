package source

import (
	"cmp"
	"fmt"
	"slices"
)

// Target is what packages are built for. The zero value is what a build makes
// that is asked for nothing else.
type Target struct {
	// Arch is Go's name of the architecture, "amd64" or "arm64"; "" is the
	// machine's own. Another one takes Debian's cross compiler.
	Arch string
	// Mosquitto is the broker's series, "2.0" or "2.1"; "" is "2.0".
	Mosquitto string
}

// series is a line of Mosquitto's releases.
type series struct {
	name   string
	pinned bool   // to versions of this series, which the suite may not have
	recipe string // its script
	// license is that of its files' headers, where the EDL is the BSD licence,
	// and those of uthash and picohttpparser where they are compiled in.
	license string
	suffix  string // of the names of what each series has of its own in the cache
}

// allSeries has the default first.
var allSeries = []series{
	{"2.0", false, "mosquitto.sh", "(EPL-2.0 OR BSD-3-Clause) AND BSD-1-Clause", ""},
	{"2.1", true, "mosquitto-2.1.sh", "(EPL-2.0 OR BSD-3-Clause) AND BSD-1-Clause AND MIT", "-2.1"},
}

// series returns the series that t asks for.
func (t Target) series() (series, error) {
	name := cmp.Or(t.Mosquitto, allSeries[0].name)
	i := slices.IndexFunc(allSeries, func(s series) bool { return s.name == name })
	if i < 0 {
		return series{}, fmt.Errorf("building Mosquitto %q: only 2.0 and 2.1 are known", name)
	}
	return allSeries[i], nil
}

// requests are the Debian source packages of a build.
func (s series) requests() []request {
	var list []request
	for _, name := range sourceNames {
		r := request{name: name}
		if s.pinned && name == "mosquitto" {
			r.series = s.name
		}
		list = append(list, r)
	}
	return list
}

// catalog is catalog, of this series.
func (s series) catalog() []entry {
	list := slices.Clone(catalog)
	for i := range list {
		if list[i].step == "mosquitto" {
			list[i].license = s.license
		}
	}
	return list
}
