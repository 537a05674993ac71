package image

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"

	"github.com/mosqbuild/mosqbuild/packages"
)

// origin is whose a package is, as far as its repository tells.
type origin struct {
	namespace string // of its package URL; "" where nobody is known
	supplier  string
	distro    string // such as "alpine-3.23"
	url       string // of the repository, without a login; "" for a folder
}

// ownRelease is the package that says of a repository that it is ours.
const ownRelease = "mosqbuild-release"

// alpinePath is how Alpine's mirrors lay out their repositories.
var alpinePath = regexp.MustCompile(`/(?:v([0-9]+\.[0-9]+)|(edge)|latest-stable)/(?:main|community|testing)/$`)

// originOf goes by what is the same of a repository and of its mirrors, those
// that are signed anew among them: an image has one list, wherever it is made.
func originOf(lock *packages.Lock, p packages.Package) origin {
	var from origin
	if i := slices.IndexFunc(lock.Repositories, func(i packages.Index) bool { return i.Repository == p.Repository }); i >= 0 {
		from.url = strings.TrimSuffix(lock.Repositories[i].URL(), "/")
	}
	release := alpinePath.FindStringSubmatch(from.url + "/")
	switch {
	case release != nil:
		from.namespace, from.supplier = "alpine", "Alpine Linux"
		if which := release[1] + release[2]; which != "" { // of latest-stable it isn't known
			from.distro = "alpine-" + which
		}
	case slices.ContainsFunc(lock.Packages, func(q packages.Package) bool {
		return q.Repository == p.Repository && q.Name == ownRelease
	}):
		from.namespace, from.supplier = "mosqbuild", "mosqbuild"
	}
	return from
}

// purl returns the package URL (https://github.com/package-url/purl-spec): of
// type apk, which asks for a vendor, or, where none is known, generic.
func (from origin) purl(p packages.Package) (string, error) {
	qualifiers := map[string]string{"arch": p.Arch}
	kind := packageurl.TypeApk
	switch {
	case from.namespace == "":
		kind = packageurl.TypeGeneric
		if l := from.location(p); l != noAssertion {
			qualifiers["download_url"] = l
		}
	case from.distro != "":
		qualifiers["distro"] = from.distro
	case from.url != "":
		qualifiers["repository_url"] = from.url
	}
	u := packageurl.NewPackageURL(kind, from.namespace, p.Name, p.Version, packageurl.QualifiersFromMap(qualifiers), "")
	if err := u.Normalize(); err != nil {
		return "", fmt.Errorf("making the package URL of %q: %w", p.Name, err)
	}
	return u.ToString(), nil
}

// location is where the package can be had, if anybody can: a folder of this
// machine is no one else's. Where packages for no architecture are, their own
// line doesn't say.
func (from origin) location(p packages.Package) string {
	if from.url == "" || p.Arch == "" || p.Arch == "noarch" {
		return noAssertion
	}
	return from.url + "/" + p.Arch + "/" + url.PathEscape(p.Name+"-"+p.Version+".apk")
}
