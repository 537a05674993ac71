package lint

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const keyModeFix = "chmod 0640, with the group that the broker runs in"

// checkKeyFiles looks at the modes of key files, on disk and in images.
func checkKeyFiles(p *project, r *report) {
	for _, f := range p.pems {
		if _, mode, err := p.readFile(f.file); err == nil && holdsKey(string(f.data)) && mode.Perm()&0o004 != 0 {
			r.add("MQ205", f.place, keyModeFix, "the private key has mode %#o", mode.Perm())
		}
	}
	for _, c := range p.confs {
		for _, d := range c.directives {
			if c.owner != nil || d.fileOption() != "key" {
				continue
			}
			if data, mode := p.beside(d); holdsKey(string(data)) && mode&0o004 != 0 {
				r.add("MQ205", d.place, keyModeFix, "the private key %s has mode %#o", d.value, mode)
			}
		}
	}
	for _, c := range p.containers {
		p.copiedKeys(r, c)
	}
}

var chmodKey = regexp.MustCompile(`\bchmod\s+(?:-\w+\s+)*([0-7]{3,4}|[ugoa]*[ao][ugoa]*[+=][rwxX]*r[rwxX]*)\s+([^;&|]+)`)

func (p *project) copiedKeys(r *report, c *containerfile) {
	for _, in := range c.instructions {
		switch in.name {
		case "COPY", "ADD":
			p.copiedKey(r, c, in)
		case "RUN":
			for _, m := range chmodKey.FindAllStringSubmatch(in.text, -1) {
				if readable(m[1]) && namesKey(m[2]) {
					r.add("MQ205", in.place, keyModeFix, "chmod %s lets everybody in the image read %s", m[1], strings.TrimSpace(m[2]))
				}
			}
		}
	}
}

func (p *project) copiedKey(r *report, c *containerfile, in instruction) {
	sources := in.words
	if len(sources) > 0 {
		sources = sources[:len(sources)-1]
	}
	for _, source := range sources {
		if !namesKey(source) {
			continue
		}
		mode := in.flag("chmod")
		if mode == "" && in.flag("from") == "" {
			if _, m, err := p.readFile(filepath.Join(filepath.Dir(c.file), source)); err == nil {
				mode = fmt.Sprintf("%#o", m.Perm())
			}
		}
		if readable(mode) {
			r.add("MQ205", in.place, "mount the key from a Secret, or copy it with --chmod=0640", "%s puts the private key %s into the image with mode %s", in.name, source, mode)
		}
	}
}

// readable tells whether a mode, as chmod takes it, lets everybody read.
func readable(mode string) bool {
	if mode == "" {
		return false
	}
	switch last := mode[len(mode)-1]; {
	case last >= '0' && last <= '7':
		return (last-'0')&4 != 0
	}
	return true
}

func namesKey(words string) bool {
	for w := range strings.FieldsSeq(words) {
		w = strings.Trim(w, `"'`)
		if path.Ext(w) == ".key" || strings.HasSuffix(w, "key.pem") {
			return true
		}
	}
	return false
}

// checkSecretVolumes looks at the Secret volumes in which a broker keeps keys
// and password files.
func checkSecretVolumes(p *project, r *report) {
	for _, b := range p.brokers {
		for i, v := range b.spec.Volumes {
			if v.Secret == nil {
				continue
			}
			whole := int32(0o644)
			if v.Secret.DefaultMode != nil {
				whole = *v.Secret.DefaultMode
			}
			report := func(key string, mode int32, at ...any) {
				if mode&0o004 != 0 && p.keepsSecret(b, v, key) {
					r.add("MQ204", b.pod(append([]any{"volumes", i, "secret"}, at...)...), "set defaultMode: 0440 there; where no uid is assigned, with fsGroup in the pod's securityContext", "the files of Secret %s have mode %#o", v.Secret.SecretName, mode)
				}
			}
			if len(v.Secret.Items) == 0 {
				report("", whole, "defaultMode")
			}
			for j, item := range v.Secret.Items {
				if item.Mode == nil {
					report(item.Key, whole, "defaultMode")
				} else {
					report(item.Key, *item.Mode, "items", j, "mode")
				}
			}
		}
	}
}

// keepsSecret tells whether that key of the Secret in a volume, or any where it is
// "", is known to be a key or a password file of the broker.
func (p *project) keepsSecret(b *broker, v corev1.Volume, key string) bool {
	if b.conf != nil {
		for _, d := range b.conf.directives {
			o, file := d.fileOption(), b.mounted(d.value)
			if o != "" && o != "acl" && file.volume == v.Name && (key == "" || file.key == key) {
				return true
			}
		}
	}
	_, s := find[*corev1.Secret](p, b.namespace, v.Secret.SecretName)
	if s == nil || !b.mounts(v.Name) {
		return false
	}
	is := func(name, data string) bool {
		return (key == "" || name == key) && (holdsKey(data) || name == corev1.TLSPrivateKeyKey)
	}
	for name, data := range s.Data {
		if is(name, string(data)) {
			return true
		}
	}
	for name, data := range s.StringData {
		if is(name, data) {
			return true
		}
	}
	return false
}

func (b *broker) mounts(volume string) bool {
	for _, m := range b.container.VolumeMounts {
		if m.Name == volume {
			return true
		}
	}
	return false
}
