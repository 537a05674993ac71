package packages

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"chainguard.dev/apko/pkg/apk/apk"

	"github.com/mosqbuild/mosqbuild/config"
)

var (
	sha256RE = regexp.MustCompile(`^[0-9a-f]{64}$`)
	archRE   = regexp.MustCompile(`^[a-z0-9]+(/[a-z0-9]+)?$`)
)

// faults collects what is wrong with a lock file.
type faults []config.Problem

func (v *faults) check(ok bool, path, format string, args ...any) {
	if !ok {
		*v = append(*v, config.Problem{Path: path, Text: fmt.Sprintf(format, args...)})
	}
}

func (f *lockFile) problems() []config.Problem {
	var v faults
	v.check(f.Version == lockVersion, "version", "is %d; this mosqbuild reads %d", f.Version, lockVersion)
	v.check(len(f.Packages) > 0, "packages", "is empty")
	v.check(!slices.ContainsFunc(f.Packages, hasControl), "packages", "has a control character")
	v.check(len(f.Platforms) > 0, "platforms", "is empty")
	seen := map[string]bool{}
	for i, p := range f.Platforms {
		at := fmt.Sprintf("platforms[%d]", i)
		arch, ok := strings.CutPrefix(p.Platform, platformPrefix)
		v.check(ok && archRE.MatchString(arch), at+".platform", "%q is no platform, such as linux/amd64", p.Platform)
		v.check(!seen[p.Platform], at+".platform", "%q is there twice", p.Platform)
		seen[p.Platform] = true
		p.check(&v, at)
	}
	return v
}

func (p lockedPlatform) check(v *faults, at string) {
	v.check(len(p.Repositories) > 0, at+".repositories", "is empty")
	v.check(len(p.Packages) > 0, at+".packages", "is empty")
	seen := map[string]bool{}
	for i, r := range p.Repositories {
		r.check(v, fmt.Sprintf("%s.repositories[%d]", at, i))
		name := strings.TrimSuffix(public(r.URL), "/")
		if name == "" {
			name = path.Clean(r.Folder) // as it is written
		}
		v.check(!seen[name], fmt.Sprintf("%s.repositories[%d]", at, i), "%q is there twice", name)
		seen[name] = true
	}
	clear(seen)
	for i, q := range p.Packages {
		on := fmt.Sprintf("%s.packages[%d]", at, i)
		q.check(v, on)
		v.check(p.repositoryOf(q) >= 0, on+".url", "%q is not where one of the repositories has version %q of it", q.URL, q.Version)
		v.check(!seen[q.Name], on+".name", "%q is there twice", q.Name)
		seen[q.Name] = true
	}
}

func (i lockedIndex) check(v *faults, at string) {
	v.check(i.URL != "" || i.Folder != "", at, "names neither url nor folder")
	if i.URL != "" {
		u, err := url.Parse(i.URL)
		v.check(err == nil && isURL(i.URL) && u.User == nil && !strings.ContainsFunc(i.URL, unicode.IsSpace), at+".url", "%q is no http(s) URL without a login", public(i.URL))
	}
	v.check(!hasControl(i.Folder), at+".folder", "%q has a control character", i.Folder)
	v.check(sha256RE.MatchString(i.SHA256), at+".sha256", "%q is no SHA-256 in hex", i.SHA256)
	v.check(i.Key != "" && safeName(i.Key), at+".key", "%q is no name of a key", i.Key)
	date, err := i.date()
	v.check(err == nil && date.Year() >= 1970 && date.Year() <= 9999, at+".date", "%q is no date, such as 2026-01-31T12:00:00Z", i.Date)
}

func (q lockedPackage) check(v *faults, at string) {
	file := Package{Name: q.Name, Version: q.Version}.fileName()
	v.check(q.Name != "" && safeName(file), at+".name", "%q is no file name", file)
	_, err := apk.ParseVersion(q.Version)
	v.check(err == nil, at+".version", "%q is no version", q.Version)
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(q.Checksum, "Q1"))
	v.check(strings.HasPrefix(q.Checksum, "Q1") && err == nil && len(sum) == 20, at+".checksum", "%q is no checksum of an index: Q1 and a SHA-1 in base64", q.Checksum)
	v.check(sha256RE.MatchString(q.SHA256), at+".sha256", "%q is no SHA-256 in hex", q.SHA256)
	v.check(q.Size > 0 && q.Size <= maxPackage, at+".size", "%d is not between 1 and %d", q.Size, maxPackage)
}

// safeName says whether a file of a repository may have that name.
func safeName(file string) bool {
	return !strings.ContainsAny(file, "/\\") && !hasControl(file) && !strings.HasPrefix(file, ".")
}
