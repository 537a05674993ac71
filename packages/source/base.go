package source

import (
	_ "embed"
	"io/fs"

	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// basePackage holds what every system of these packages has; musl asks for it,
// so it always comes along. It says that they aren't Alpine's.
const basePackage = "mosqbuild-release"

var (
	//go:embed base/os-release
	osRelease []byte
	//go:embed base/nsswitch.conf
	nsswitch []byte
	//go:embed base/hosts
	hosts []byte
	//go:embed base/LICENSE
	apache []byte
)

// base returns the package of base files. Who is in /etc/passwd is for the
// image to say.
func base() repo.Package {
	dir := func(path string, mode fs.FileMode) repo.File {
		return repo.File{Path: path, Mode: fs.ModeDir | mode}
	}
	file := func(path string, data []byte) repo.File { return repo.File{Path: path, Mode: 0o644, Data: data} }
	return repo.Package{
		Name: basePackage, Version: "13.0-r0", Origin: basePackage, Maintainer: maintainer,
		Description: "Base files of a system of mosqbuild packages",
		License:     "Apache-2.0", URL: "https://github.com/mosqbuild/mosqbuild",
		Files: []repo.File{
			{Path: "etc/os-release", Mode: fs.ModeSymlink, Link: "../usr/lib/os-release"},
			file("etc/hosts", hosts),
			file("etc/nsswitch.conf", nsswitch),
			dir("run", 0o755),
			dir("tmp", fs.ModeSticky|0o777),
			file("usr/lib/os-release", osRelease),
			file("usr/share/licenses/"+basePackage+"/LICENSE", apache),
			dir("var", 0o755),
			{Path: "var/run", Mode: fs.ModeSymlink, Link: "../run"},
			dir("var/tmp", fs.ModeSticky|0o777),
		},
	}
}
