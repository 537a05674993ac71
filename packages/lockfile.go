package packages

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// Locks are the content of a lock file: a Lock a platform, sorted by Arch, all
// of the same World.
type Locks []*Lock

// Find returns the lock of the architecture, by Go's name, or nil.
func (ls Locks) Find(arch string) *Lock {
	i := slices.IndexFunc(ls, func(l *Lock) bool { return l.Arch == arch })
	if i < 0 {
		return nil
	}
	return ls[i]
}

// With returns the locks with l among them, in place of that of its
// architecture. Locks of another World are left out: they no longer hold.
func (ls Locks) With(l *Lock) Locks {
	others := slices.DeleteFunc(slices.Clone(ls), func(o *Lock) bool {
		return o.Arch == l.Arch || !slices.Equal(o.World, l.World)
	})
	all := append(others, l)
	slices.SortFunc(all, func(a, b *Lock) int { return strings.Compare(a.Arch, b.Arch) })
	return all
}

// lockVersion is of the format, which is described in docs/packages.md.
const lockVersion = 1

// platformPrefix is before Go's name of the architecture in a lock file.
const platformPrefix = config.PlatformPrefix

type lockFile struct {
	Version   int              `yaml:"version"`
	Packages  []string         `yaml:"packages"`
	Platforms []lockedPlatform `yaml:"platforms"`
}

type lockedPlatform struct {
	Platform     string          `yaml:"platform"`
	Repositories []lockedIndex   `yaml:"repositories"`
	Packages     []lockedPackage `yaml:"packages"`
}

type lockedIndex struct {
	URL    string `yaml:"url,omitempty"`
	Folder string `yaml:"folder,omitempty"`
	SHA256 string `yaml:"sha256"`
	Key    string `yaml:"key"`
	Date   string `yaml:"date"` // RFC 3339
}

// base is what the URLs of the repository's packages begin with.
func (i lockedIndex) base() string {
	if i.URL != "" {
		return strings.TrimSuffix(i.URL, "/")
	}
	return strings.TrimSuffix(i.Folder, "/")
}

func (i lockedIndex) date() (time.Time, error) {
	date, err := time.Parse(time.RFC3339, i.Date)
	return date.UTC().Truncate(time.Second), err
}

type lockedPackage struct {
	Name     string `yaml:"name"`
	Version  string `yaml:"version"`
	URL      string `yaml:"url"`
	Checksum string `yaml:"checksum"`
	SHA256   string `yaml:"sha256"`
	Size     int64  `yaml:"size"`
}

// url is where the package lies in a repository with that base.
func (p lockedPackage) url(base, arch string) string {
	return base + "/" + apkArch(arch) + "/" + Package{Name: p.Name, Version: p.Version}.fileName()
}

// Encode returns the lock file for the folder dir, to which folders of
// repositories below it are relative. The same locks give the same bytes; none
// at all are an error.
func (ls Locks) Encode(dir string) ([]byte, error) {
	if len(ls) == 0 {
		return nil, errors.New("encoding a lock: it has no platform")
	}
	f := lockFile{Version: lockVersion, Packages: ls[0].World}
	for _, l := range ls {
		p := lockedPlatform{Platform: platformPrefix + l.Arch}
		bases := map[string]string{}
		for _, r := range l.Repositories {
			index := lockedIndex{URL: r.URL(), SHA256: r.SHA256, Key: r.Key, Date: r.Date.Format(time.RFC3339)}
			if !isURL(r.Repository) {
				index.Folder = below(dir, r.Repository)
			}
			bases[r.Repository] = index.base()
			p.Repositories = append(p.Repositories, index)
		}
		for _, r := range l.Packages {
			locked := lockedPackage{Name: r.Name, Version: r.Version, Checksum: r.Checksum, SHA256: r.SHA256, Size: r.Size}
			locked.URL = locked.url(bases[r.Repository], l.Arch)
			p.Packages = append(p.Packages, locked)
		}
		f.Platforms = append(f.Platforms, p)
	}
	b := bytes.NewBufferString("# What an image is made of, to the byte: docs/packages.md. Not to be edited.\n")
	e := yaml.NewEncoder(b)
	e.SetIndent(2)
	if err := e.Encode(f); err != nil {
		return nil, fmt.Errorf("encoding a lock: %w", err)
	}
	return b.Bytes(), nil
}

// below is folder as seen from dir where it lies below it, and otherwise its
// absolute path.
func below(dir, folder string) string {
	from, err := filepath.Abs(dir)
	to, err2 := filepath.Abs(folder)
	if err != nil || err2 != nil { // there is no working directory: both are as absolute as they get
		return folder
	}
	if rel, err := filepath.Rel(from, to); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return to
}

// ReadLocks parses the lock file data, called file in errors, whose folder is
// that of file. Every fault is named with its line, as a config.Problem; the
// code is fault.Usage. What only an index says is missing from the locks:
// Confirm adds it.
func ReadLocks(file string, data []byte) (Locks, error) {
	var f lockFile
	if err := config.ReadStrict(file, data, &f, f.problems); err != nil {
		return nil, fault.With(fault.Usage, fault.Hint(err, "restore %q, from version control for instance; made anew (mosqbuild image lock), it can't tell what went back", file))
	}
	var ls Locks
	for _, p := range f.Platforms {
		l := &Lock{Arch: strings.TrimPrefix(p.Platform, platformPrefix), World: f.Packages}
		for _, i := range p.Repositories {
			date, _ := i.date() // it was checked
			index := Index{Repository: i.URL, SHA256: i.SHA256, Key: i.Key, Date: date}
			if i.Folder != "" {
				index.Repository, index.Origin = filepath.FromSlash(i.Folder), i.URL
				if !filepath.IsAbs(index.Repository) {
					index.Repository = filepath.Join(filepath.Dir(file), index.Repository)
				}
			}
			l.Repositories = append(l.Repositories, index)
		}
		for _, q := range p.Packages {
			at := p.repositoryOf(q)
			l.Packages = append(l.Packages, Package{
				Name: q.Name, Version: q.Version, Repository: l.Repositories[at].Repository,
				Checksum: q.Checksum, SHA256: q.SHA256, Size: q.Size,
			})
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// repositoryOf returns which of the repositories the package's URL lies in, or
// -1.
func (p lockedPlatform) repositoryOf(q lockedPackage) int {
	arch := strings.TrimPrefix(p.Platform, platformPrefix)
	return slices.IndexFunc(p.Repositories, func(i lockedIndex) bool { return q.URL == q.url(i.base(), arch) })
}
