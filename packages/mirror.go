package packages

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/packages/repo"
)

// Mirrored says what Mirror did.
type Mirrored struct {
	Packages int   // of all platforms
	Copied   int   // of them; the others were there
	Bytes    int64 // of what was copied, packages and indexes
}

// Mirror copies the packages of the locks to the folder to, with their indexes
// and the public keys that these and the packages are signed by, so that the
// folder is as good a repository as the originals together: an Options that
// names it gives the same Lock.Digest. With a key, the indexes list the
// packages copied alone and are signed by it; without, they are the originals.
// Packages are always the originals, to the byte.
//
// A file gets its name once it is whole, verified and on the disk, and the
// mirror's own lock is written last. So Mirror may end at any point, and goes on
// from there when it is called again; files that are there are verified and
// kept. Other platforms that the mirror has of the same names stay in it, provided
// that they verify (else fault.Refused). Two at once on one folder take turns. What
// no lock lists stays, but for keys by which nothing listed is signed. A symbolic
// link in to, where it would write, is an error; to may be one itself.
func (ls Locks) Mirror(ctx context.Context, o Options, to string, key *repo.Key) (Mirrored, error) {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return Mirrored{}, fmt.Errorf("making mirror %q: %w", to, err)
	}
	unlock, err := lockFolder(ctx, to, o.Waiting)
	if err != nil {
		return Mirrored{}, fmt.Errorf("locking mirror %q: %w", to, err)
	}
	defer unlock()
	ring, err := o.keyring()
	if err != nil {
		return Mirrored{}, err
	}
	w := &mirrorWriter{to: to, key: key, ring: ring, keys: keyring{}}
	if err := w.folder(KeysFolder); err != nil {
		return Mirrored{}, err
	}
	copies, err := w.others(ctx, ls, o)
	if err != nil {
		return w.done, err
	}
	for _, l := range ls {
		o.Arch = l.Arch
		copied, err := w.platform(ctx, l, o)
		if err != nil {
			return w.done, err
		}
		copies = copies.With(copied)
	}
	return w.done, w.finish(copies)
}

// others are the platforms that the mirror has besides ls. Their keys stay with them.
func (w *mirrorWriter) others(ctx context.Context, ls Locks, o Options) (Locks, error) {
	m, err := readMirror(w.to)
	if m == nil || err != nil {
		return nil, nil // what is damaged is made anew
	}
	ring := maps.Clone(w.ring)
	if w.key != nil {
		if ring[w.key.Name], err = parsePublicKey(w.key.Public()); err != nil {
			return nil, err
		}
	}
	var others Locks
	for _, l := range m.locks {
		if ls.Find(l.Arch) != nil || len(ls) == 0 || !slices.Equal(l.World, ls[0].World) {
			continue
		}
		checks, err := m.check(ctx, l, o, ring, w.keys)
		if err != nil {
			return nil, err
		}
		for _, c := range checks {
			if !c.OK {
				return nil, fault.With(fault.Refused, fault.Hint(fmt.Errorf("keeping platform %q of mirror %q: %q: %s", platformPrefix+l.Arch, w.to, c.File, c.Detail),
					"mirror that platform as well, or name a new folder; where it was signed anew by another key, name that: --repository-key FILE"))
			}
		}
		others = append(others, l)
	}
	return others, nil
}

// lockFolder waits until nobody else writes to the mirror.
func lockFolder(ctx context.Context, dir string, waiting func()) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Lock(ctx, d, waiting); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return func() { _ = d.Close() }, nil
}

// unfinished are the names that atomicfile gives to files of a mirror on their
// way, and that a kill leaves behind.
var unfinished = regexp.MustCompile(`^\..+(\.apk|\.tar\.gz|\.pub|\.yaml)\.[0-9]+$`)

// tidy removes what a kill left in a folder of a mirror, of which next is written
// to, or "" for every file. What is written must not follow a symbolic link out
// of the mirror.
func tidy(dir, next string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.Type() == fs.ModeSymlink && (next == "" || e.Name() == next || e.Name() == mirrorName):
			return fault.Hint(fmt.Errorf("%q is a symbolic link", path), "remove it, or name another folder: what is written there would be outside of the mirror")
		case e.Type().IsRegular() && unfinished.MatchString(e.Name()):
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// mirrorWriter fills a mirror's folder.
type mirrorWriter struct {
	to   string
	key  *repo.Key
	ring keyring

	mu   sync.Mutex
	keys keyring
	done Mirrored
}

// folder makes a folder of the mirror, and tidies it and those it is in.
func (w *mirrorWriter) folder(elem ...string) error {
	dir := w.to
	for _, e := range append(elem, "") {
		if err := tidy(dir, e); err != nil {
			return fmt.Errorf("making mirror %q: %w", w.to, err)
		}
		dir = filepath.Join(dir, e)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making mirror %q: %w", w.to, err)
		}
	}
	return nil
}

// platform copies one platform and returns its lock, with the folders of the
// mirror for repositories.
func (w *mirrorWriter) platform(ctx context.Context, l *Lock, o Options) (*Lock, error) {
	l, indexes, err := l.compare(ctx, l.World, o)
	if err != nil {
		return nil, err
	}
	folders := map[string]string{}
	for i, name := range folderNames(l.Repositories) {
		folders[l.Repositories[i].Repository] = filepath.Join(w.to, name)
		if err := w.folder(name, apkArch(l.Arch)); err != nil {
			return nil, err
		}
	}
	out := &Lock{Arch: l.Arch, World: l.World, Packages: make([]Package, len(l.Packages))}
	err = l.each(ctx, func(ctx context.Context, i int) (err error) {
		p := l.Packages[i]
		out.Packages[i], err = w.one(ctx, l, i, filepath.Join(folders[p.Repository], l.fileOf(p)), o)
		out.Packages[i].Repository = folders[p.Repository]
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, r := range l.Repositories {
		copied, err := w.index(indexes[i], l, folders[r.Repository])
		if err != nil {
			return nil, err
		}
		out.Repositories = append(out.Repositories, copied)
	}
	return out, nil
}

// one copies one package to path, unless it is there.
func (w *mirrorWriter) one(ctx context.Context, l *Lock, i int, path string, o Options) (Package, error) {
	p := l.Packages[i]
	if file, err := openFile(path); err == nil {
		v, err := p.verify(file, w.ring, nil)
		closeFile(file)
		if err == nil {
			w.note(v.by, 0)
			p.SHA256 = v.sum
			return p, nil
		}
	}
	f, err := l.fetch(ctx, i, o, w.ring, nil)
	if err != nil {
		return p, err
	}
	defer closeFile(f.file)
	p.SHA256 = f.sum
	w.note(f.by, f.Size)
	return p, atomicfile.Stream(path, 0o644, func(to *os.File) error { return f.copyTo(to) })
}

// copyTo writes the package's file, provided that nobody has written to it since
// it was verified.
func (f fetched) copyTo(w io.Writer) error {
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, sum), io.NewSectionReader(f.file, 0, f.Size)); err != nil {
		return err
	}
	if got := hexOf(sum); got != f.sum {
		return f.refuse(f.path, &mismatchError{"SHA-256", got, f.sum, "an earlier read"})
	}
	return nil
}

// note counts a package; n is what was copied of it.
func (w *mirrorWriter) note(by signer, n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done.Packages++
	if n > 0 {
		w.done.Copied++
		w.done.Bytes += n
	}
	w.keys.add(by)
}

// index writes an index to the folder and returns the lock's line for it.
func (w *mirrorWriter) index(i index, l *Lock, folder string) (Index, error) {
	copied := i.Index
	copied.Repository, copied.Origin = folder, i.URL()
	file := i.file
	if w.key == nil {
		w.keys.add(i.by)
	} else {
		var err error
		if file, err = i.of(l, w.key); err != nil {
			return copied, fmt.Errorf("signing the index of repository %q: %w", public(i.Repository), err)
		}
		copied.Key, copied.SHA256 = w.key.Name, hexSum(file)
	}
	w.done.Bytes += int64(len(file))
	return copied, atomicfile.Write(filepath.Join(folder, apkArch(l.Arch), indexFile), file, 0o644)
}

// finish makes the keys those that the files are signed by and, last, writes the
// lock.
func (w *mirrorWriter) finish(copies Locks) error {
	dir := filepath.Join(w.to, KeysFolder)
	// The lock keeps others away: what is unfinished there, nobody will finish.
	atomicfile.Sweep(dir, atomicfile.Temporary("*.rsa.pub"), 0)
	atomicfile.Sweep(w.to, atomicfile.Temporary(mirrorName), 0)
	if w.key != nil {
		if err := atomicfile.Write(filepath.Join(dir, w.key.Name), w.key.Public(), 0o644); err != nil {
			return err
		}
	}
	for name, key := range w.keys {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			return fmt.Errorf("encoding key %q: %w", name, err)
		}
		block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		if err := atomicfile.Write(filepath.Join(dir, name), block, 0o644); err != nil {
			return err
		}
	}
	if err := w.dropKeys(dir); err != nil {
		return err
	}
	data, err := copies.Encode(w.to)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(w.to, mirrorName), data, 0o644)
}

// dropKeys removes the keys by which nothing is signed any more: apk would go on
// trusting them.
func (w *mirrorWriter) dropKeys(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		used := w.keys[e.Name()] != nil || w.key != nil && w.key.Name == e.Name()
		if used || !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), ".rsa.pub") {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// folderNames gives each repository a folder of a mirror, called after the end
// of its URL: "main".
func folderNames(repositories []Index) []string {
	var names []string
	taken := map[string]bool{KeysFolder: true}
	for _, r := range repositories {
		name := path.Base(r.URL())
		if r.URL() == "" || !folderName.MatchString(name) {
			name = "packages"
		}
		for n, first := 2, name; taken[name]; n++ {
			name = fmt.Sprintf("%s-%d", first, n)
		}
		taken[name] = true
		names = append(names, name)
	}
	return names
}

var folderName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// KeysFolder is where in a mirror the public keys are, for apk's --keys-dir.
const KeysFolder = "keys"
