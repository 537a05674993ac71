package openshift

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Names in the folder of a kustomization.
const (
	baseDir = "base"
	// clusterDir is for what is in another namespace than the deployment: each
	// overlay would move it into its own.
	clusterDir        = "cluster"
	kustomizationFile = "kustomization.yaml"
	secretsFile       = "secrets.yaml"
	// sealedFile is the user's own, made from secretsFile by sops or kubeseal.
	sealedFile = "secrets.sealed.yaml"
)

// kustomization is the part of kustomize's file that is written here; see
// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/
type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Namespace  string   `json:"namespace,omitempty"`
	Resources  []string `json:"resources"`
}

// difference is the part of kustomize's file in which an overlay differs.
type difference struct {
	Images  []newImage  `json:"images,omitempty"`
	Patches []hostPatch `json:"patches,omitempty"`
}

// newImage replaces the image called Name.
type newImage struct {
	Name    string `json:"name"`
	NewName string `json:"newName"`
	NewTag  string `json:"newTag,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

// hostPatch replaces host names in one object.
type hostPatch struct {
	Target patchTarget `json:"target"`
	Patch  string      `json:"patch"` // operations of RFC 6902, as YAML
}

type patchTarget struct {
	Group   string `json:"group,omitempty"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
}

type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value string `json:"value"`
}

// newFile is a file of the folder.
type newFile struct {
	Path string // slash-separated, relative to the folder
	Mode fs.FileMode
	Data []byte
}

func (k kustomization) file(path, comment string) (newFile, error) {
	k.APIVersion, k.Kind = "kustomize.config.k8s.io/v1beta1", "Kustomization"
	text, err := yaml.Marshal(k)
	return newFile{path, 0o644, slices.Concat([]byte(comment), text)}, err
}

// elsewhere splits off the objects of other namespaces than v's.
func elsewhere(objs []Object, v Values) (here, there []Object, err error) {
	for i, o := range objs {
		content, err := fields(o)
		if err != nil {
			return nil, nil, encodingError(i, err)
		}
		if ns, _ := walkTo(content, []string{"metadata"})["namespace"].(string); ns != "" && ns != v.Namespace {
			there = append(there, o)
		} else {
			here = append(here, o)
		}
	}
	return here, there, nil
}

// folder returns the files of a kustomization: one an object, but for the
// Secrets, which share one. Where sealed is true it names the user's instead.
func folder(dir string, objs []Object, sealed bool) ([]newFile, error) {
	var files []newFile
	var secrets []Object
	k := kustomization{}
	taken := map[string]bool{kustomizationFile: true, secretsFile: true, sealedFile: true}
	for i, o := range objs {
		content, err := fields(o)
		if err != nil {
			return nil, encodingError(i, err)
		}
		if isSecret(content) {
			secrets = append(secrets, o)
			continue
		}
		text, err := yaml.Marshal(content)
		if err != nil {
			return nil, encodingError(i, err)
		}
		name := fileName(content, taken)
		k.Resources = append(k.Resources, name)
		files = append(files, newFile{name, 0o644, text})
	}
	if len(secrets) > 0 {
		text, err := stream(secrets)
		if err != nil {
			return nil, err
		}
		files = append(files, newFile{secretsFile, 0o600, text})
		name := secretsFile
		if sealed {
			name = sealedFile
		}
		k.Resources = append([]string{name}, k.Resources...)
	}
	own, err := k.file(kustomizationFile, "# Written by mosqbuild at every render: change an overlay instead.\n")
	ignore := newFile{".gitignore", 0o644, []byte("/" + secretsFile + "\n")}
	files = append(files, own, ignore)
	for i := range files {
		files[i].Path = dir + "/" + files[i].Path
	}
	return files, err
}

// isSecret tells whether o is a core Secret.
func isSecret(o map[string]any) bool { return o["apiVersion"] == "v1" && o["kind"] == "Secret" }

// fileName is KIND-NAME.yaml, with a number where that is taken already.
func fileName(o map[string]any, taken map[string]bool) string {
	id := identify(o)
	stem := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(id.Kind+"-"+id.Name))
	name := stem + ".yaml"
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s-%d.yaml", stem, i)
	}
	taken[name] = true
	return name
}

// identify is what finds o again.
func identify(o map[string]any) patchTarget {
	var id patchTarget
	version, _ := o["apiVersion"].(string)
	if group, rest, found := strings.Cut(version, "/"); found {
		id.Group, version = group, rest
	}
	id.Version = version
	id.Kind, _ = o["kind"].(string)
	if meta, ok := o["metadata"].(map[string]any); ok {
		id.Name, _ = meta["name"].(string)
	}
	return id
}

// overlay is a place to start from: a namespace of its own, and, as comments,
// how to change image and hosts. Comments, for once it is written it stays,
// and would hold on to the image of that day.
func overlay(name, namespace string, objects []map[string]any, v Values) (newFile, error) {
	k := kustomization{Namespace: namespace, Resources: []string{"../../" + baseDir}}
	file, err := k.file("overlays/"+name+"/"+kustomizationFile, "# Yours: mosqbuild wrote it once, as a start.\n")
	if err != nil {
		return file, err
	}
	var d difference
	for _, image := range images(objects) {
		d.Images = append(d.Images, splitImage(image))
	}
	if d.Patches, err = hostPatches(objects, v.hosts(objects)); err != nil {
		return file, err
	}
	text, err := yaml.Marshal(d)
	if err != nil {
		return file, err
	}
	file.Data = append(file.Data, uncomment...)
	for line := range strings.Lines(string(text)) {
		file.Data = append(file.Data, "# "+line...)
	}
	return file, nil
}

const uncomment = "#\n# To differ from the base, uncomment these and change their values.\n"

// hostPatches are patches that put hosts where they are already.
func hostPatches(objects []map[string]any, hosts []string) ([]hostPatch, error) {
	var patches []hostPatch
	for _, o := range objects {
		var ops []patchOperation
		walk(o, nil, func(path []string, s string) string {
			if _, _, _, ok := cutHost(s, hosts); ok && !isContent(path) && path[len(path)-1] != "name" {
				ops = append(ops, patchOperation{"replace", pointer(path), s})
			}
			return s
		})
		if ops == nil {
			continue
		}
		text, err := yaml.Marshal(ops)
		if err != nil {
			return nil, err
		}
		patches = append(patches, hostPatch{identify(o), string(text)})
	}
	return patches, nil
}

// pointer is path as a JSON pointer (RFC 6901).
func pointer(path []string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var out strings.Builder
	for _, p := range path {
		out.WriteString("/" + escape.Replace(p))
	}
	return out.String()
}

// images are the container images in objects, each once, sorted.
func images(objects []map[string]any) []string {
	found := map[string]bool{}
	for _, o := range objects {
		walk(o, nil, func(path []string, s string) string {
			if isImage(path) {
				found[s] = true
			}
			return s
		})
	}
	return slices.Sorted(maps.Keys(found))
}

// isImage tells whether path ends in the image of a container.
func isImage(path []string) bool {
	n := len(path)
	return n > 3 && path[n-1] == "image" && (path[n-3] == "containers" || path[n-3] == "initContainers")
}

// splitImage takes NAME[:TAG][@DIGEST] apart.
func splitImage(ref string) newImage {
	name, digest, _ := strings.Cut(ref, "@")
	var tag string
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name, tag = name[:i], name[i+1:]
	}
	return newImage{Name: name, NewName: name, NewTag: tag, Digest: digest}
}
