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
}

// configMap is the kind of a volume that is no Secret.
const configMap corev1.SecretType = ""

// volumes sorts b's files into the volumes of a deployment called name. A file
// in no volume's folder is an error: it would be missing from the cluster.
func volumes(name string, b files.Bundle) ([]volume, error) {
	all := []volume{
		{name: "certs", object: tlsName(name), kind: corev1.SecretTypeTLS, dir: config.CertsDir},
		{name: "auth", object: authName(name), kind: corev1.SecretTypeOpaque, dir: config.AuthDir},
		{name: "config", object: name, kind: configMap, dir: config.ConfigDir},
	}
	var errs []error
	for _, f := range slices.Concat(b.Rendered, b.Defaults) {
		i := slices.IndexFunc(all, func(v volume) bool { return v.dir == path.Dir(f.Path) })
		switch {
		case i < 0:
			errs = append(errs, fmt.Errorf("file %q: no volume is mounted there", f.Path))
			continue
		case all[i].kind == configMap && !utf8.Valid(f.Data):
			errs = append(errs, fmt.Errorf("file %q: a ConfigMap holds UTF-8 only", f.Path))
		}
		all[i].files = append(all[i].files, f)
	}
	all = slices.DeleteFunc(all, func(v volume) bool { return len(v.files) == 0 })
	return all, errors.Join(errs...)
}

// authName is the name of the Secret with the logins.
func authName(name string) string { return name + "-auth" }

// source is the Secret or ConfigMap that v's files come from.
func (d objects) source(v volume) runtime.Object {
	if v.kind == configMap {
		data := map[string]string{}
		for _, f := range v.files {
			data[path.Base(f.Path)] = string(f.Data)
		}
		return &corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: d.meta(v.object),
			Data:       data,
		}
	}
	data := map[string][]byte{}
	for _, f := range v.files {
		data[path.Base(f.Path)] = f.Data
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: d.meta(v.object),
		Type:       v.kind,
		Data:       data,
	}
}

// volume is v in a pod. No subPath anywhere: what is mounted by one never
// follows a change of its source.
func (v volume) volume() corev1.Volume {
	mode := int32(modeMounted)
	out := corev1.Volume{Name: v.name}
	if v.kind == configMap {
		out.ConfigMap = &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: v.object}, DefaultMode: &mode,
		}
	} else {
		out.Secret = &corev1.SecretVolumeSource{SecretName: v.object, DefaultMode: &mode}
	}
	return out
}

func (v volume) mount() corev1.VolumeMount {
	return corev1.VolumeMount{Name: v.name, MountPath: v.dir, ReadOnly: true}
}

// checksum changes with any volume's content, and so, in the pod's
// annotations, replaces the pod: the broker reads most files only at start.
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
