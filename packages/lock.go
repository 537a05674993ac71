package packages

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Package is a package as the signed index of its repository lists it.
type Package struct {
	Name, Version string
	Repository    string // as Options names it
	Checksum      string // "Q1" and the base64 of the control section's SHA-1
	SHA256        string // of the package's file, in hex; "" before Pin
	License       string
	Origin        string // the source package
	Description   string
	Arch          string // apk's name of it, such as "x86_64"
	Size          int64  // of the package's file, in bytes
	InstalledSize int64  // in bytes
}

// fileName is the package's name in its repository.
func (p Package) fileName() string { return p.Name + "-" + p.Version + ".apk" }

// Index is a repository whose signed index was used.
type Index struct {
	Repository string // as Options names it; of a mirror, the folder in it
	Origin     string // the URL that a mirror's folder is a copy of; else ""
	Key        string // name of the key that signed it
	SHA256     string // of the index's file, in hex
	// Date is when the index was made, to the second: what the signed archive
	// says of the file in it, or where that says nothing, when the newest package
	// listed was built.
	Date time.Time
}

// URL is what belongs into /etc/apk/repositories: a URL with no login in it,
// and "" for a folder of the machine that builds.
func (i Index) URL() string {
	if i.Origin == "" && isURL(i.Repository) {
		return public(i.Repository)
	}
	return i.Origin
}

// Lock is the outcome of Resolve: what to install, in this order.
type Lock struct {
	Arch         string   // Go's name, such as "amd64"
	World        []string // the names asked for, sorted
	Repositories []Index
	Packages     []Package // sorted so that each comes after what it depends on
}

// Find returns the package of that name, and whether the lock has it.
func (l *Lock) Find(name string) (Package, bool) {
	i := slices.IndexFunc(l.Packages, func(p Package) bool { return p.Name == name })
	if i < 0 {
		return Package{}, false
	}
	return l.Packages[i], true
}

// URL returns where the package of the lock is said to be, with no login: in a
// folder, its path.
func (l *Lock) URL(p Package) string {
	base := p.Repository
	for _, r := range l.Repositories {
		if u := r.URL(); r.Repository == p.Repository && u != "" {
			base = u
		}
	}
	return strings.TrimSuffix(base, "/") + "/" + l.fileOf(p)
}

// Digest returns the SHA-256, in hex, over everything that decides the content
// of the Tree that Load makes of the lock: architecture, names asked for, URLs
// of repositories, and of each package the name, version and checksum, in
// order. Where a folder is doesn't count.
func (l *Lock) Digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "mosqbuild lock 1\narch %q\nworld %q\nrepositories %q\n", l.Arch, l.World, l.urls())
	for _, p := range l.Packages {
		fmt.Fprintf(h, "package %q %q %q %q %d\n", p.Name, p.Version, p.Arch, p.Checksum, p.Size)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// urls returns the lines of /etc/apk/repositories.
func (l *Lock) urls() []string {
	urls := []string{}
	for _, r := range l.Repositories {
		if u := r.URL(); u != "" {
			urls = append(urls, u)
		}
	}
	return urls
}

func isURL(repository string) bool {
	return strings.HasPrefix(repository, "http://") || strings.HasPrefix(repository, "https://")
}

// public returns repository without a login, as it may be shown.
func public(repository string) string {
	if u, err := url.Parse(repository); err == nil && isURL(repository) {
		u.User = nil
		return u.String()
	}
	scheme, rest, ok := strings.Cut(repository, "://")
	if !ok {
		return repository
	}
	return scheme + "://" + rest[strings.LastIndex(rest, "@")+1:]
}
