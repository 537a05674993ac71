package openshift

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/files"
)

// modeMounted lets the broker's group read a mounted file: its uid is any, and
// a volume's files belong to root and to the pod's fsGroup, or else root's.
const modeMounted = fs.FileMode(0o440)

// volume is a folder of the image that a Secret or a ConfigMap is mounted over.
type volume struct {
	name   string // of the volume
	object string // the name of the Secret or ConfigMap
	kind   corev1.SecretType
	dir    string
	files  []files.File
	made   bool   // by the cluster: nothing to render
	ca     string // the ConfigMap with the CA, where the Secret lacks it
}

// configMap is the kind of a volume that is no Secret.
const configMap corev1.SecretType = ""

// volumes sorts b's files, as the broker of that role has them, into the
// volumes of its pod. A file in no volume's folder is an error: it would be
// missing from the cluster.
func volumes(cfg config.Config, b files.Bundle, role string) ([]volume, error) {
	broker := cfg.Broker(role)
	all := []volume{
		{name: "certs", object: tlsName(cfg.Name), kind: corev1.SecretTypeTLS, dir: config.CertsDir},
		{name: "auth", object: authName(cfg.Name), kind: corev1.SecretTypeOpaque, dir: config.AuthDir},
		{name: "bridge", object: broker + "-bridge", kind: corev1.SecretTypeTLS, dir: config.BridgeDir},
		{name: "config", object: broker, kind: configMap, dir: config.ConfigDir},
	}
	if cfg.HasTLS() {
		all[0].made = cfg.TLS.InCluster()
		if cfg.TLS.Source == config.SourceServiceCA {
			all[0].ca = caName(cfg.Name)
		}
	}
	var errs []error
	for _, f := range filesOf(b, role) {
		i := slices.IndexFunc(all, func(v volume) bool { return v.dir == path.Dir(f.Path) })
		switch {
		case i < 0:
			errs = append(errs, fmt.Errorf("file %q: no volume is mounted there", f.Path))
			continue
		case all[i].made: // the image's, which the cluster's take the place of
			continue
		case all[i].kind == configMap && !utf8.Valid(f.Data):
			errs = append(errs, fmt.Errorf("file %q: a ConfigMap holds UTF-8 only", f.Path))
		}
		all[i].files = append(all[i].files, f)
	}
	all = slices.DeleteFunc(all, func(v volume) bool { return len(v.files) == 0 && !v.made })
	return all, errors.Join(errs...)
}

// filesOf are the files of the broker of that role: its own in place of those
// that an image has.
func filesOf(b files.Bundle, role string) []files.File {
	own := map[string][]files.File{config.RolePrimary: b.Primary, config.RoleSecondary: b.Secondary}[role]
	all := slices.DeleteFunc(slices.Concat(b.Rendered, b.Defaults), func(f files.File) bool {
		return slices.ContainsFunc(own, func(o files.File) bool { return o.Path == f.Path })
	})
	return append(all, own...)
}

// authName is the name of the Secret with the logins.
func authName(name string) string { return name + "-auth" }

// source is the Secret or ConfigMap that v's files come from.
func (d objects) source(v volume) runtime.Object {
	meta := d.meta(v.object)
	if v.object == d.agentName() {
		meta = d.agentMeta(v.object)
	}
	if v.kind == configMap {
		data := map[string]string{}
		for _, f := range v.files {
			data[path.Base(f.Path)] = string(f.Data)
		}
		return &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: meta,
			Data:       data,
		}
	}
	data := map[string][]byte{}
	for _, f := range v.files {
		data[path.Base(f.Path)] = f.Data
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: meta,
		Type:       v.kind,
		Data:       data,
	}
}

// volume is v in a pod. No subPath anywhere: what is mounted by one never
// follows a change of its source.
func (v volume) volume() corev1.Volume {
	mode := int32(modeMounted)
	out := corev1.Volume{Name: v.name}
	switch {
	case v.ca != "":
		out.Projected = &corev1.ProjectedVolumeSource{DefaultMode: &mode, Sources: []corev1.VolumeProjection{
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: v.object}}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: v.ca},
				Items:                []corev1.KeyToPath{{Key: serviceCAKey, Path: config.CAFile}},
			}},
		}}
	case v.kind == configMap:
		out.ConfigMap = &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: v.object}, DefaultMode: &mode,
		}
	default:
		out.Secret = &corev1.SecretVolumeSource{SecretName: v.object, DefaultMode: &mode}
	}
	return out
}

func (v volume) mount() corev1.VolumeMount {
	return corev1.VolumeMount{Name: v.name, MountPath: v.dir, ReadOnly: true}
}

// checksum changes with any volume's content, and so, in the pod's
// annotations, replaces the pod. A SIGHUP would do for logins, ACL, certificate
// and key, but nothing sends it; the rest is read at start alone anyway. What
// the cluster makes is unknown here: the broker reads it anew when it restarts.
func checksum(vs []volume) string {
	h := sha256.New()
	for _, v := range vs {
		for _, f := range v.files {
			fmt.Fprintf(h, "%s %d\n", f.Path, len(f.Data))
			h.Write(f.Data)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
