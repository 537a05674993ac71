package lint

import (
	"path"
	"strings"

	appsocp "github.com/openshift/api/apps/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

var storageRules = []Rule{
	{"MQ301", Warning, "Secret or ConfigMap mounted with subPath", "Such a file never changes in a running pod: a renewed certificate or a new password doesn't arrive."},
	{"MQ302", Error, "Symbolic link that 2.1 refuses", "Files of Secret and ConfigMap volumes are symbolic links. From 2.1, the broker doesn't open a password, ACL or PSK file behind one, and ends."},
	{"MQ303", Error, "RollingUpdate on a volume for one node", "The new pod waits for a ReadWriteOnce volume that the old one holds, and the old one waits for the new to be ready; on one node, two brokers write one file."},
	{"MQ304", Error, "Persistence outside of any volume", "Retained messages and sessions are kept in the container's own layer, which goes with it, or can't be written where that is read-only."},
	{"MQ305", Error, "Volume that the broker doesn't use", "The claim is mounted, but the broker keeps nothing below it: it looks persistent and isn't."},
	{"MQ306", Warning, "Long autosave interval", "Whatever changed since the last save is lost at a kill; the default is half an hour, and 0 saves at the end alone."},
}

func checkSubPaths(p *project, r *report) {
	for _, w := range p.workloads {
		for i := range w.spec.Containers {
			c := &w.spec.Containers[i]
			for j, m := range c.VolumeMounts {
				if m.SubPath == "" && m.SubPathExpr == "" {
					continue
				}
				if f := w.fileAt(c, m.MountPath); f.kind == configMapVolume || f.kind == secretVolume {
					step := "subPath"
					if m.SubPath == "" {
						step = "subPathExpr"
					}
					r.add("MQ301", w.pod("containers", i, "volumeMounts", j, step), "mount the whole volume at a folder of its own", "%s %s is mounted with subPath: its changes never arrive", f.kind.object(), f.name)
				}
			}
		}
	}
}

// allowSymlinks is the variable that makes 2.1.1 and later open links, whatever
// its value.
const allowSymlinks = "MOSQUITTO_UNSAFE_ALLOW_SYMLINKS"

func checkSymlinks(p *project, r *report) {
	for _, b := range p.brokers {
		if b.conf == nil || !b.since(2, 1) || b.opensLinks() {
			continue
		}
		for _, d := range b.conf.directives {
			if o := d.fileOption(); o == "" || o == "key" {
				continue
			}
			f := b.mounted(d.value)
			if f.kind.object() != "" && b.container.VolumeMounts[f.mount].SubPath == "" {
				r.add("MQ302", d.place, "set "+allowSymlinks+"=1 in "+b.title()+", or copy the file to an emptyDir first", "%s is a symbolic link in the volume of %s %s, which %s refuses", d.key, f.kind.object(), f.name, b.container.Image)
			}
		}
	}
}

func (b *broker) opensLinks() bool {
	for _, e := range b.container.Env {
		if e.Name == allowSymlinks {
			return true
		}
	}
	return false
}

// surges tells whether an update starts a new pod before the old one ends.
func (w *workload) surges() bool {
	switch t := w.typed.(type) {
	case *appsv1.Deployment:
		s := t.Spec.Strategy
		if s.Type == appsv1.RecreateDeploymentStrategyType {
			return false
		}
		if s.RollingUpdate == nil || s.RollingUpdate.MaxSurge == nil {
			return true
		}
		surge := s.RollingUpdate.MaxSurge
		return surge.IntVal > 0 || strings.Trim(surge.StrVal, "0%") != ""
	case *appsocp.DeploymentConfig:
		return t.Spec.Strategy.Type != appsocp.DeploymentStrategyTypeRecreate
	}
	return false
}

func checkRolling(p *project, r *report) {
	for _, w := range p.workloads {
		if !w.surges() {
			continue
		}
		for _, v := range w.spec.Volumes {
			if v.PersistentVolumeClaim == nil {
				continue
			}
			name := v.PersistentVolumeClaim.ClaimName
			if _, claim := find[*corev1.PersistentVolumeClaim](p, w.namespace, name); claim != nil && oneNode(claim) {
				r.add("MQ303", w.at("spec", "strategy", "type"), "set strategy.type: Recreate", "%s updates by RollingUpdate, and its claim %s is for one node", w.title(), name)
			}
		}
	}
}

func oneNode(c *corev1.PersistentVolumeClaim) bool {
	for _, mode := range c.Spec.AccessModes {
		if mode != corev1.ReadWriteOnce && mode != corev1.ReadWriteOncePod {
			return false
		}
	}
	return len(c.Spec.AccessModes) > 0
}

// longestSave is the longest autosave_interval, in seconds, that isn't
// reported.
const longestSave = 300

func checkPersistence(p *project, r *report) {
	for _, c := range p.confs {
		autosave(r, c)
	}
	for _, b := range p.brokers {
		if b.conf == nil || b.conf.includes() {
			continue
		}
		if d, on := b.conf.persistence(); on {
			b.keeps(r, d)
		}
		b.unused(r)
	}
}

func autosave(r *report, c *conf) {
	at, on := c.persistence()
	if changes, set := c.set("autosave_on_changes"); !on || set && changes.isTrue() {
		return
	}
	seconds := 1800
	if d, ok := c.set("autosave_interval"); ok {
		if seconds, ok = d.number(); !ok {
			return
		}
		at = d
	}
	switch {
	case seconds == 0:
		r.add("MQ306", at.place, "add a line: autosave_interval 30", "autosave_interval 0 saves at the end alone: a kill loses everything")
	case seconds > longestSave:
		r.add("MQ306", at.place, "add a line: autosave_interval 30", "saved every %d s only: a kill loses what changed since", seconds)
	}
}

// location is the folder that the broker saves into: without a setting, the
// one that it is started in.
func (b *broker) location() (dir string, at directive, set bool) {
	dir = b.container.WorkingDir
	at, set = b.conf.set("persistence_location")
	if set {
		dir = path.Join(dir, at.value)
		if path.IsAbs(at.value) {
			dir = at.value
		}
	}
	return path.Join("/", dir), at, set
}

func (b *broker) keeps(r *report, persistence directive) {
	dir, at, set := b.location()
	f := b.mounted(dir)
	fix := "mount a volume at " + dir
	if !set {
		at = persistence
		fix = "set persistence_location to the folder that a volume is mounted at"
	}
	switch {
	case f.mount < 0 && set:
		r.add("MQ304", at.place, fix, "%s saves to %s, where no volume is mounted", b.title(), dir)
	case f.mount < 0:
		r.add("MQ304", at.place, fix, "%s saves to the folder it is started in, %s, where no volume is mounted", b.title(), dir)
	case f.kind.object() != "" || b.container.VolumeMounts[f.mount].ReadOnly:
		r.add("MQ304", at.place, fix, "%s saves to %s, which it can't write", b.title(), dir)
	}
}

// unused reports claims below which the configuration keeps nothing.
func (b *broker) unused(r *report) {
	for i, m := range b.container.VolumeMounts {
		if b.mounted(m.MountPath).kind == claimVolume && !b.uses(path.Clean(m.MountPath)) {
			r.add("MQ305", b.in("volumeMounts", i, "mountPath"), "mount it at persistence_location, with persistence true", "the claim at %s stays empty: %s keeps nothing there", m.MountPath, b.conf.where())
		}
	}
}

func (b *broker) uses(dir string) bool {
	if _, on := b.conf.persistence(); on {
		if location, _, _ := b.location(); location == dir {
			return true
		} else if _, ok := below(location, dir); ok {
			return true
		}
	}
	if _, ok := below(path.Clean(b.confPath()), dir); ok {
		return true
	}
	for _, d := range b.conf.directives {
		if d.key == "persistence_location" {
			continue
		}
		for _, w := range d.words() {
			if _, ok := below(path.Clean(w), dir); ok && path.IsAbs(w) {
				return true
			}
		}
	}
	return false
}

// where names the configuration in a message.
func (c *conf) where() string {
	if c.owner != nil {
		return c.key + " of " + c.owner.title()
	}
	return c.file
}
