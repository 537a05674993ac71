package source

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// keySuffix is how a repository's public key ends, its only file.
const keySuffix = ".rsa.pub"

// indexFile is the index in an architecture's folder, which has the sum of each package.
const indexFile = "APKINDEX.tar.gz"

// repository is the path of the present repository of a series, whatever it
// holds: a folder of each architecture that was built, and the public key of all.
func (s store) repository(suffix string) string { return s.path("repository" + suffix) }

// point makes the repository in dir, which has one architecture, a part of the
// present one of its series. What that has of other architectures stays, where the same key
// has signed it. A reader of the old one isn't disturbed: it stays where it is.
func (s store) point(dir, suffix string) error {
	links, err := entries(dir)
	if err != nil {
		return err
	}
	old, err := entries(s.repository(suffix))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if keyIn(old) == keyIn(links) {
		maps.Copy(old, links)
		links = old
	}
	view, err := s.view(links)
	if err != nil {
		return err
	}
	target, err := filepath.Rel(s.root, view)
	if err != nil {
		return err
	}
	if now, err := os.Readlink(s.repository(suffix)); err == nil && now == target {
		return nil
	}
	link := s.path("work", "repository")
	if err := os.Symlink(target, link); err != nil {
		return err
	}
	return os.Rename(link, s.repository(suffix))
}

// entries returns the paths of what is in a repository, links followed.
func entries(dir string) (map[string]string, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for _, e := range list {
		if paths[e.Name()], err = filepath.EvalSymlinks(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// keyIn returns the name of the public key among a repository's entries, or "".
func keyIn(entries map[string]string) string {
	for name := range entries {
		if strings.HasSuffix(name, keySuffix) {
			return name
		}
	}
	return ""
}

// view returns a folder of copies of entries, by name: a repository is copied to
// other machines, and links out of it would stay behind. What is the same has the
// same folder.
func (s store) view(entries map[string]string) (string, error) {
	var sums []string
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		path := entries[name]
		if !strings.HasSuffix(name, keySuffix) {
			path = filepath.Join(path, indexFile)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		sums = append(sums, name, digest(nil, string(data)))
	}
	view := &step{name: "view", key: digest(nil, sums...)}
	view.out = s.path("views", view.key[:16])
	if view.done() {
		return view.out, nil
	}
	work := s.path("work", "view")
	if err := removeAll(work); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(work, outDir), 0o755); err != nil {
		return "", err
	}
	for name, path := range entries {
		if err := copyTo(filepath.Join(work, outDir, name), path); err != nil {
			return "", err
		}
	}
	return view.out, errors.Join(publish(view, work), removeAll(work))
}

// copyTo copies a file, or a folder with all in it.
func copyTo(to, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(path))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, info.Mode().Perm())
}

// Repository returns the absolute paths of the folder and of the public key of
// the repository that Build in this cache made for t. An empty Arch asks for
// any. Where there is none, the error wraps fs.ErrNotExist and its hint names
// the command to make it.
func Repository(cache string, t Target) (dir, key string, err error) {
	dir, key, err = find(cache, t)
	if err != nil {
		return "", "", fmt.Errorf("opening the local package repository: %w", err)
	}
	return dir, key, nil
}

func find(cache string, t Target) (dir, key string, err error) {
	line, err := t.series()
	if err != nil {
		return "", "", fault.With(fault.Usage, err)
	}
	if cache, err = filepath.Abs(cache); err != nil {
		return "", "", err
	}
	dir = storeIn(cache).repository(line.suffix)
	folder, build := dir, "run: mosqbuild packages build"
	if line.suffix != "" {
		build += " --mosquitto " + line.name
	}
	if t.Arch != "" {
		m, err := machineFor(t.Arch)
		if err != nil {
			return "", "", fault.With(fault.Usage, err)
		}
		folder, build = filepath.Join(dir, m.apk), build+" --arch "+t.Arch
	}
	found, err := filepath.Glob(filepath.Join(dir, "*"+keySuffix))
	if err == nil && len(found) == 1 && exists(folder) {
		return dir, found[0], nil
	}
	return "", "", fault.Hint(fmt.Errorf("%q: %w", folder, fs.ErrNotExist), "%s", build)
}
