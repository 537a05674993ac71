package openshift

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// pod is what a workload runs.
type pod struct {
	*member
	labels    map[string]string
	spec      corev1.PodSpec
	listeners map[int32]string // ids, by port
}

// templatePaths are where each kind keeps the pod's template.
var templatePaths = map[string][]string{
	"Pod":              {},
	"Deployment":       {"spec", "template"},
	"StatefulSet":      {"spec", "template"},
	"DaemonSet":        {"spec", "template"},
	"ReplicaSet":       {"spec", "template"},
	"DeploymentConfig": {"spec", "template"},
	"Job":              {"spec", "template"},
	"CronJob":          {"spec", "jobTemplate", "spec", "template"},
}

// readPods finds the pods of the workloads and draws their listeners.
func (g *graph) readPods() error {
	for _, m := range g.objects {
		path, known := templatePaths[m.Kind]
		content := walkTo(m.content, path)
		if !known || content == nil {
			continue
		}
		var t corev1.PodTemplateSpec
		err := checkQuantities(content)
		if err == nil {
			err = runtime.DefaultUnstructuredConverter.FromUnstructured(content, &t)
		}
		if err != nil {
			return fmt.Errorf("reading the pod of %s %q: %w", m.Kind, m.Name, err)
		}
		p := pod{m, t.Labels, t.Spec, map[int32]string{}}
		g.listeners(p)
		g.pods = append(g.pods, p)
	}
	return nil
}

// Where a pod has quantities: in these mappings, and as these fields.
var (
	quantityMaps   = []string{"limits", "requests", "overhead"}
	quantityFields = []string{"sizeLimit", "divisor"}
)

// endless is a number that resource.ParseQuantity writes down with all its
// zeros: of 1e-1000000000 they are a milliard.
var endless = regexp.MustCompile(`^[+-]?[0-9.]+[eE][+-]?[0-9]{3,}$`)

// maxQuantity is a length that no quantity needs. The time that one takes to
// read grows with the square of its length.
const maxQuantity = 64

// checkQuantities refuses a pod with a quantity that can't be read in time.
// What looks like one elsewhere, such as a commit in a label, may stay.
func checkQuantities(pod map[string]any) error {
	var err error
	walk(pod, []string{""}, func(path []string, s string) string {
		field, parent := path[len(path)-1], path[len(path)-2]
		quantity := slices.Contains(quantityFields, field) || slices.Contains(quantityMaps, parent)
		if s := strings.TrimSpace(s); quantity && (len(s) > maxQuantity || endless.MatchString(s)) {
			err = fmt.Errorf("%s: %.20q is no quantity", strings.Join(path[1:], "."), s)
		}
		return s
	})
	return err
}

// listeners draws the ports of a pod's containers, those with TLS as such.
func (g *graph) listeners(p pod) {
	tls := map[string]bool{}
	for _, text := range g.confs(p) {
		for _, l := range readConf(text).listeners {
			tls[l.port] = l.tls
		}
	}
	for _, c := range p.ports() {
		if p.listeners[c.ContainerPort] != "" {
			continue
		}
		port := strconv.Itoa(int(c.ContainerPort))
		l := node{id: g.id(p.Kind+"_"+p.Name, port), label: []string{strings.TrimSpace(c.Name + " " + port)}, shape: shapeClient}
		if tls[port] {
			l.label = append(l.label, "TLS")
		}
		p.listeners[c.ContainerPort] = l.id
		g.nodes[p.node].inside = append(g.nodes[p.node].inside, l)
	}
}

// workloads draws what the pods mount, who they are, and their bridges.
func (g *graph) workloads() {
	for _, p := range g.pods {
		id := g.nodes[p.node].id
		for _, v := range p.spec.Volumes {
			g.volume(p, v)
		}
		claims, _ := walkTo(p.content, []string{"spec"})["volumeClaimTemplates"].([]any)
		for i := range claims {
			name := identify(walkTo(claims, []string{strconv.Itoa(i)})).Name
			claim := g.nodes[g.add("PersistentVolumeClaim", p.Name+"_"+name, shapeVolume, "PersistentVolumeClaim "+name, "one a pod")].id
			g.connect(id, arrowUse, claim, p.path(name))
		}
		if account := p.spec.ServiceAccountName; account != "" {
			g.connect(id, arrowUse, g.find(p.member, "ServiceAccount", account), "runs as")
		}
		g.bridges(p)
	}
}

// volume draws what is behind one of a pod's volumes.
func (g *graph) volume(p pod, v corev1.Volume) {
	id, path := g.nodes[p.node].id, p.path(v.Name)
	sources := []corev1.VolumeProjection{{}}
	if v.Secret != nil {
		g.connect(g.find(p.member, "Secret", v.Secret.SecretName), arrowUse, id, path)
	}
	if v.ConfigMap != nil {
		g.connect(g.find(p.member, "ConfigMap", v.ConfigMap.Name), arrowUse, id, path)
	}
	if v.PersistentVolumeClaim != nil {
		g.connect(id, arrowUse, g.find(p.member, "PersistentVolumeClaim", v.PersistentVolumeClaim.ClaimName), path)
	}
	if v.Projected != nil {
		sources = v.Projected.Sources
	}
	for _, s := range sources {
		if s.Secret != nil {
			g.connect(g.find(p.member, "Secret", s.Secret.Name), arrowUse, id, path)
		}
		if s.ConfigMap != nil && s.ConfigMap.Name != rootCA { // every namespace has one
			g.connect(g.find(p.member, "ConfigMap", s.ConfigMap.Name), arrowUse, id, path)
		}
	}
}

// path is where the pod's containers mount a volume.
func (p pod) path(volume string) string {
	var paths []string
	for _, c := range slices.Concat(p.spec.InitContainers, p.spec.Containers) {
		for _, m := range c.VolumeMounts {
			if m.Name == volume && !slices.Contains(paths, m.MountPath) {
				paths = append(paths, m.MountPath)
			}
		}
	}
	return strings.Join(paths, ", ")
}
