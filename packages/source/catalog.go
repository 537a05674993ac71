package source

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// entry says which of a step's files are a package, and what that is called.
type entry struct {
	name, step  string // step is the origin too, and mostly the source package
	description string
	license     string // SPDX; Mosquitto's is its series'
	url         string
	files       []string // patterns of path.Match; a file belongs to the first entry that has it
	depends     []string // besides what its programs are linked against
	provides    []string // besides its programs and libraries
}

// catalog is every package, named and split as Alpine's, so that whoever knows
// those finds the same file in the same package.
var catalog = []entry{
	{
		name: "musl", step: "musl", files: []string{"lib/*"}, depends: []string{basePackage},
		description: "the musl c library (libc) implementation", license: "MIT", url: "https://musl.libc.org/",
	},
	{
		name: "libcrypto3", step: "openssl", files: []string{"usr/lib/libcrypto.so.*"},
		description: "Crypto library from openssl", license: "Apache-2.0", url: "https://www.openssl.org/",
	},
	{
		name: "libssl3", step: "openssl", files: []string{"usr/lib/libssl.so.*"},
		description: "SSL shared libraries", license: "Apache-2.0", url: "https://www.openssl.org/",
	},
	{
		name: "cjson", step: "cjson", files: []string{"usr/lib/libcjson.so.*"},
		description: "Ultralightweight JSON parser in ANSI C", license: "MIT", url: "https://github.com/DaveGamble/cJSON",
	},
	{
		name: "mosquitto-libs", step: "mosquitto", files: []string{"usr/lib/libmosquitto.so.*"},
		description: "MQTT client library of Mosquitto", url: "https://mosquitto.org/",
	},
	{
		name: "mosquitto-clients", step: "mosquitto",
		files:       []string{"usr/bin/mosquitto_ctrl", "usr/bin/mosquitto_pub", "usr/bin/mosquitto_rr", "usr/bin/mosquitto_sub"},
		description: "MQTT command line clients of Mosquitto", url: "https://mosquitto.org/",
	},
	{
		name: "mosquitto", step: "mosquitto",
		files:       []string{"usr/sbin/mosquitto", "usr/bin/mosquitto_passwd", "usr/bin/mosquitto_signal", "usr/lib/mosquitto_*.so"},
		description: "Open source MQTT broker", url: "https://mosquitto.org/",
	},
	{
		name: "busybox", step: "busybox", files: []string{"bin/busybox", "etc/busybox-paths.d", "etc/busybox-paths.d/*"},
		description: "Size optimized toolbox of common UNIX utilities", license: "GPL-2.0-only", url: "https://busybox.net/",
	},
	{
		name: "busybox-binsh", step: "busybox", files: []string{"bin/sh"}, depends: []string{"busybox"}, provides: []string{"/bin/sh"},
		description: "busybox ash /bin/sh", license: "GPL-2.0-only", url: "https://busybox.net/",
	},
	{
		name: "ca-certificates-bundle", step: "ca-certificates", files: []string{"etc/ssl/*", "etc/ssl/certs/*"},
		description: "Pre generated bundle of Mozilla certificates", license: "MPL-2.0",
		url: "https://tracker.debian.org/pkg/ca-certificates",
	},
}

// maintainer is of the packages, not of what is in them.
const maintainer = "mosqbuild"

// assemble makes the packages of what steps left: in each one's folder root/
// the files, in licenses/ the licence texts. versions are by step.
func assemble(catalog []entry, folders, versions map[string]string) ([]repo.Package, error) {
	trees := map[string][]repo.File{}
	for step, folder := range folders {
		files, err := readTree(filepath.Join(folder, "root"))
		if err != nil {
			return nil, err
		}
		trees[step] = files
	}
	var pkgs []repo.Package
	for _, e := range catalog {
		p := repo.Package{
			Name: e.name, Version: versions[e.step], Description: e.description, License: e.license,
			Origin: e.step, URL: e.url, Maintainer: maintainer, Depends: slices.Clone(e.depends), Provides: slices.Clone(e.provides),
		}
		p.Files, trees[e.step] = e.take(trees[e.step])
		if len(p.Files) == 0 {
			return nil, fmt.Errorf("making package %q: step %q left no file for it", e.name, e.step)
		}
		if err := link(&p); err != nil {
			return nil, fmt.Errorf("making package %q: %w", e.name, err)
		}
		texts, err := readTree(filepath.Join(folders[e.step], "licenses"))
		if err != nil {
			return nil, err
		}
		for _, t := range texts {
			t.Path = path.Join("usr/share/licenses", e.name, t.Path)
			p.Files = append(p.Files, t)
		}
		pkgs = append(pkgs, p)
	}
	for step, rest := range trees {
		for _, f := range rest {
			if !f.Mode.IsDir() {
				return nil, fmt.Errorf("making packages: file %q of step %q is in none", f.Path, step)
			}
		}
	}
	return pkgs, nil
}

// take splits files into those of the entry and the rest.
func (e entry) take(files []repo.File) (mine, rest []repo.File) {
	for _, f := range files {
		if slices.ContainsFunc(e.files, func(p string) bool { ok, _ := path.Match(p, f.Path); return ok }) {
			mine = append(mine, f)
		} else {
			rest = append(rest, f)
		}
	}
	return mine, rest
}

// readTree reads the files, links and folders below dir, sorted by path.
func readTree(dir string) ([]repo.File, error) {
	var files []repo.File
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f := repo.File{Path: filepath.ToSlash(strings.TrimPrefix(name, dir+string(filepath.Separator))), Mode: info.Mode()}
		switch f.Mode.Type() {
		case fs.ModeSymlink:
			f.Link, err = os.Readlink(name)
		case 0:
			f.Data, err = os.ReadFile(name)
		}
		files = append(files, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the files below %q: %w", dir, err)
	}
	return files, nil
}
