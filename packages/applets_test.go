package packages

import (
	"archive/tar"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// toolbox is a busybox that says it goes by these names.
func toolbox(names string) *loaded {
	p := pkg("busybox", "busybox", nil, file("bin/busybox"), file(appletsPath))
	list := &p.items[1]
	list.data, list.header.Size = strings.NewReader(names), int64(len(names))
	return p
}

func TestAppletsAreLinks(t *testing.T) {
	tests := map[string]struct {
		world []string
		names string
		other *loaded
		want  []string // links, and what another package has in their place
	}{
		"asked for":         {[]string{"busybox"}, "bin/ls\nusr/bin/less\n", nil, []string{"bin/ls -> /bin/busybox", "usr/bin/less -> /bin/busybox"}},
		"in a version":      {[]string{"busybox=1.5-r0"}, "bin/ls", nil, []string{"bin/ls -> /bin/busybox"}},
		"came along":        {[]string{"mosquitto", "busybox-binsh"}, "bin/ls\n", nil, nil},
		"somebody else's":   {[]string{"busybox"}, "bin/ls\nbin/sh\nsbin/ip\n", pkg("a", "a", nil, file("sbin/ip"), link("bin/sh", "/bin/ash")), []string{"bin/ls -> /bin/busybox", "bin/sh -> /bin/ash", "sbin/ip -> "}},
		"a folder's link":   {[]string{"busybox"}, "sbin/ip\n", pkg("a", "a", nil, link("sbin", "usr/bin")), []string{"sbin -> usr/bin", "usr/bin/ip -> /bin/busybox"}},
		"named by a folder": {[]string{"busybox"}, "bin\n", nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pkgs := []*loaded{toolbox(tt.names)}
			if tt.other != nil {
				pkgs = append(pkgs, tt.other)
			}
			l, err := lay(t, pkgs...)
			if err == nil {
				err = l.addApplets(tt.world)
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, at := range slices.Sorted(maps.Keys(l.nodes)) {
				h := l.nodes[at].header
				if h.Typeflag != tar.TypeDir && at != appletsPath && at != busyboxPath {
					got = append(got, at+" -> "+h.Linkname)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("links %q, want %q", got, tt.want)
			}
		})
	}
}

func TestListsOfAppletsRefused(t *testing.T) {
	for name, names := range map[string]string{
		"upwards":   "bin/ls\n../../etc/cron.d/x\n",
		"absolute":  "/bin/ls\n",
		"empty":     "bin/ls\n\n",
		"the root":  ".\n",
		"too many":  strings.Repeat("bin/ls\n", maxApplets+1),
		"too long":  strings.Repeat("x", 1<<20),
		"in a file": "bin/busybox/ls\n",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := lay(t, toolbox(names))
			if err == nil {
				err = l.addApplets([]string{"busybox"})
			}
			if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), `package "busybox"`) {
				t.Errorf("%v, want it refused, by the package's name", err)
			}
		})
	}
}
