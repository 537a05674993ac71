package openshift

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/internal/atomicfile"
	"github.com/mosqbuild/mosqbuild/internal/fault"
)

// markerFile, in the base, lists the files that were written, one a line.
const markerFile = ".mosqbuild"

// WriteKustomize writes the objects as a kustomize base, in dir/base, with the
// overlays dev and production as places to start from; those of other
// namespaces, such as the configuration of a cluster's Traefik, go into
// dir/cluster. These two are written anew each time, less what is no longer
// rendered; everything else only where it is missing. The Secrets share one
// file, readable by the owner alone and ignored by git; where
// base/secrets.sealed.yaml exists, the base names that instead. Each file is
// replaced at once. A folder that is neither empty nor written here is refused
// unless force is true, and a file of the user's in the place of one of these always.
func WriteKustomize(dir string, objs []Object, v Values, force bool) error {
	old, err := marked(dir, force)
	if err != nil {
		return err
	}
	here, there, err := elsewhere(objs, v)
	if err != nil {
		return err
	}
	_, unsealed := os.Lstat(filepath.Join(dir, baseDir, sealedFile))
	own, err := folder(baseDir, here, unsealed == nil)
	if err == nil && there != nil {
		var more []newFile
		more, err = folder(clusterDir, there, false)
		own = append(own, more...)
	}
	if err != nil {
		return err
	}
	starts, err := starts(here, v)
	if err != nil {
		return err
	}
	var names []string
	for _, f := range own {
		names = append(names, f.Path)
	}
	if err := foreign(dir, old, names); err != nil {
		return err
	}
	// The list comes first: were this cut short, the next render may go on.
	if err := mark(dir, slices.Concat(old, names)); err != nil {
		return err
	}
	if err := errors.Join(writeFiles(dir, own, starts), removeFiles(dir, old, names)); err != nil {
		return err
	}
	return mark(dir, names)
}

// foreign reports the files of the user's, which old doesn't list, that would be
// written over.
func foreign(dir string, old, names []string) error {
	var errs []error
	for _, name := range names {
		if slices.Contains(old, name) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
			errs = append(errs, fmt.Errorf("writing into %q: %q is there, and was not written by mosqbuild", dir, name))
		}
	}
	return fault.With(fault.Usage, fault.Hint(errors.Join(errs...), "choose another folder, or move these files"))
}

// removeFiles removes those of old that aren't among names any more.
func removeFiles(dir string, old, names []string) error {
	for _, name := range old {
		if slices.Contains(names, name) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// marked returns what an earlier call wrote into dir, less what is the user's.
func marked(dir string, force bool) ([]string, error) {
	marker := filepath.Join(dir, baseDir, markerFile)
	text, err := os.ReadFile(marker)
	if err == nil {
		names := strings.Fields(string(text))
		for _, name := range names {
			if in, file := path.Split(name); in != baseDir+"/" && in != clusterDir+"/" || file == "" || file == ".." {
				return nil, fmt.Errorf("reading %q: %q is no file that mosqbuild writes", marker, name)
			}
		}
		return names, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	there, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(there) > 0 && !force {
		err := fmt.Errorf("writing into %q: it isn't empty, and nothing in it was written by mosqbuild", dir)
		return nil, fault.With(fault.Usage, fault.Hint(err, "choose another folder, or add --force to write beside what is there"))
	}
	return nil, nil
}

func mark(dir string, names []string) error {
	if err := os.MkdirAll(filepath.Join(dir, baseDir), 0o755); err != nil {
		return err
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	text := strings.Join(names, "\n") + "\n"
	return atomicfile.Write(filepath.Join(dir, baseDir, markerFile), []byte(text), 0o644)
}

// writeFiles writes all of own, and of starts what isn't there.
func writeFiles(dir string, own, starts []newFile) error {
	for i, f := range slices.Concat(own, starts) {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if _, err := os.Lstat(path); err == nil && i >= len(own) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := atomicfile.Write(path, f.Data, f.Mode); err != nil {
			return err
		}
	}
	return nil
}

// starts are the files that are the user's once written.
func starts(objs []Object, v Values) ([]newFile, error) {
	objects, err := trees(objs)
	if err != nil {
		return nil, err
	}
	production := v.Namespace
	if production == "" {
		production = v.Name
	}
	dev := production + "-dev"
	if len(dev) > maxLabel {
		dev = v.Name + "-dev"
	}
	out := []newFile{{"README.md", 0o644, []byte(fmt.Sprintf(kustomizeReadme, v.Name, dev, production))}}
	for _, o := range []struct{ name, namespace string }{{"dev", dev}, {"production", production}} {
		f, err := overlay(o.name, o.namespace, objects, v)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// maxLabel is the length of the longest namespace.
const maxLabel = 63

const kustomizeReadme = `# %[1]s

    kubectl create namespace %[2]s; kubectl apply -k overlays/dev
    kubectl create namespace %[3]s; kubectl apply -k overlays/production

` + "`base`" + ` is written anew by every ` + "`mosqbuild render -o kustomize:…`" + `; the overlays are
yours to change. What a cluster has only once, such
as the ports of its Traefik, is in ` + "`cluster`" + ` where it was asked for.

The server's certificate carries the names that were configured: add those of an
overlay to ` + "`tls.hosts`" + ` in ` + "`mosqbuild.yaml`" + `, then ` + "`mosqbuild certs init --force`" + `
and render again.

` + "`base/secrets.yaml`" + ` holds private keys and password hashes, and git ignores it.
Seal it before you commit, with one of

    kubeseal --format yaml --namespace %[3]s < base/secrets.yaml > base/secrets.sealed.yaml
    sops encrypt --encrypted-regex '^data$' base/secrets.yaml > base/secrets.sealed.yaml

and render again: where ` + "`base/secrets.sealed.yaml`" + ` exists, the base names it
instead. Seal again whenever certificates or passwords change. What kubeseal
makes opens in that one namespace alone; what sops makes, Flux alone opens, where its
Kustomization has ` + "`spec.decryption.provider: sops`" + `, not ` + "`kubectl apply -k`" + `.
`
