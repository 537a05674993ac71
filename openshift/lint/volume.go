package lint

import (
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// volumeKind is what is behind a volume.
type volumeKind int

const (
	noVolume volumeKind = iota // the image itself
	configMapVolume
	secretVolume
	claimVolume
	otherVolume // an emptyDir, or what keeps data some other way
)

// object is the kind of the object that holds the volume's files.
func (k volumeKind) object() string {
	switch k {
	case configMapVolume:
		return "ConfigMap"
	case secretVolume:
		return "Secret"
	}
	return ""
}

// mountedFile is what lies at a path in a container.
type mountedFile struct {
	kind   volumeKind
	name   string // of the ConfigMap, Secret or claim
	key    string // in the ConfigMap or Secret
	volume string
	mount  int // among the container's mounts; -1 is the image
}

// fileAt finds the mount that a path is below; the longest one wins.
func (w *workload) fileAt(c *corev1.Container, file string) mountedFile {
	file = path.Clean(file)
	best, rest := -1, ""
	for i, m := range c.VolumeMounts {
		inside, ok := below(file, path.Clean(m.MountPath))
		if ok && (best < 0 || len(path.Clean(m.MountPath)) > len(path.Clean(c.VolumeMounts[best].MountPath))) {
			best, rest = i, inside
		}
	}
	if best < 0 {
		return mountedFile{mount: -1}
	}
	m := c.VolumeMounts[best]
	f := mountedFile{kind: otherVolume, volume: m.Name, mount: best}
	return w.resolve(f, strings.Trim(path.Join(m.SubPath, rest), "/"))
}

// below returns what is left of a path inside a folder.
func below(file, dir string) (string, bool) {
	if file == dir || dir == "/" {
		return strings.TrimPrefix(file, dir), true
	}
	return strings.CutPrefix(file, dir+"/")
}

// resolve follows a path in a volume to the object that holds it.
func (w *workload) resolve(f mountedFile, inside string) mountedFile {
	for _, c := range w.claims {
		if c.Name == f.volume {
			f.kind, f.name = claimVolume, c.Name
			return f
		}
	}
	for _, v := range w.spec.Volumes {
		if v.Name != f.volume {
			continue
		}
		switch {
		case v.ConfigMap != nil:
			f.kind, f.name, f.key = configMapVolume, v.ConfigMap.Name, keyOf(v.ConfigMap.Items, inside)
		case v.Secret != nil:
			f.kind, f.name, f.key = secretVolume, v.Secret.SecretName, keyOf(v.Secret.Items, inside)
		case v.Projected != nil:
			return projected(f, v.Projected.Sources, inside)
		case v.PersistentVolumeClaim != nil:
			f.kind, f.name = claimVolume, v.PersistentVolumeClaim.ClaimName
		}
	}
	return f
}

// keyOf is the key that a volume's items put at a path; without items, each
// key is its own path.
func keyOf(items []corev1.KeyToPath, file string) string {
	for _, item := range items {
		if path.Clean(item.Path) == file {
			return item.Key
		}
	}
	if len(items) > 0 {
		return ""
	}
	return file
}

func projected(f mountedFile, sources []corev1.VolumeProjection, inside string) mountedFile {
	for _, s := range sources {
		switch {
		case s.Secret != nil && projects(s.Secret.Items, inside):
			f.kind, f.name, f.key = secretVolume, s.Secret.Name, keyOf(s.Secret.Items, inside)
		case s.ConfigMap != nil && projects(s.ConfigMap.Items, inside):
			f.kind, f.name, f.key = configMapVolume, s.ConfigMap.Name, keyOf(s.ConfigMap.Items, inside)
		}
	}
	return f
}

// projects tells whether a source has a file by that name, as far as is known:
// one without items may have any.
func projects(items []corev1.KeyToPath, file string) bool {
	return len(items) == 0 || keyOf(items, file) != ""
}
