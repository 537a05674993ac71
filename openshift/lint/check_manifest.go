package lint

import (
	"reflect"
	"slices"
	"strings"
)

var manifestRules = []Rule{
	{"MQ601", Error, "Unknown field", "A strict API server refuses the object, a lenient one drops the field: a probe that is indented wrongly is no probe."},
	{"MQ602", Error, "Value of the wrong type", "The API server refuses the object."},
	{"MQ603", Error, "Deprecated or removed kind", "Clusters no longer have it, or are about to lose it."},
	{"MQ604", Warning, "Image without a fixed version", "What runs changes with the next start of a pod; between 2.0 and 2.1 that is a change of behaviour."},
}

func checkFields(p *project, r *report) {
	for _, o := range p.objects {
		if o.typed == nil || replacement(o) != "" {
			continue
		}
		for _, m := range misfits(o.node, reflect.TypeOf(o.typed), "") {
			at := place{o.file, m.line}
			name := m.path[strings.LastIndex(m.path, ".")+1:]
			switch {
			case m.path == "sops": // what sops adds, and takes out again, of a file that it has sealed
			case m.kind == wrongType:
				must, fix, ok := strings.Cut(m.want, ": ")
				if !ok {
					fix = "write " + m.want + " there"
				}
				r.add("MQ602", at, fix, "%s must be %s", m.path, must)
			case m.kind == repeatedField:
				r.add("MQ601", at, "take one of the two out", "%s stands here twice; the last one holds", m.path)
			case m.want != "":
				r.add("MQ601", at, "indent it below "+m.want, "%s has no field %q here, and %s above is empty", o.kind, name, m.want)
			default:
				r.add("MQ601", at, "check its name and its indentation: kubectl explain "+explain(o, m.path), "%s has no field %q here", o.kind, name)
			}
		}
	}
}

// explain is the argument of kubectl explain for what holds a field.
func explain(o *object, path string) string {
	parent := ""
	if i := strings.LastIndex(path, "."); i >= 0 {
		parent = "." + path[:i]
	}
	return strings.ToLower(o.kind) + parent
}

// gone names what took the place of a version of some kinds; "*" is every kind.
var gone = []struct {
	apiVersion string
	kinds      []string
	now        string
}{
	{"extensions/v1beta1", []string{"PodSecurityPolicy"}, "Pod Security admission"},
	{"policy/v1beta1", []string{"PodSecurityPolicy"}, "Pod Security admission"},
	{"extensions/v1beta1", []string{"Ingress", "NetworkPolicy"}, "networking.k8s.io/v1"},
	{"extensions/v1beta1", []string{"*"}, "apps/v1"},
	{"apps/v1beta1", []string{"*"}, "apps/v1"},
	{"apps/v1beta2", []string{"*"}, "apps/v1"},
	{"policy/v1beta1", []string{"*"}, "policy/v1"},
	{"networking.k8s.io/v1beta1", []string{"Ingress", "IngressClass"}, "networking.k8s.io/v1"},
	{"batch/v1beta1", []string{"*"}, "batch/v1"},
	{"autoscaling/v2beta1", []string{"*"}, "autoscaling/v2"},
	{"autoscaling/v2beta2", []string{"*"}, "autoscaling/v2"},
	{"rbac.authorization.k8s.io/v1beta1", []string{"*"}, "rbac.authorization.k8s.io/v1"},
	{"apps.openshift.io/v1", []string{"DeploymentConfig"}, "kind Deployment of apps/v1"},
	{"v1", []string{"DeploymentConfig"}, "kind Deployment of apps/v1"},
	{"v1", []string{"Route"}, "route.openshift.io/v1"},
	{"v1", []string{"ImageStream"}, "image.openshift.io/v1"},
	{"v1", []string{"BuildConfig"}, "build.openshift.io/v1"},
	{"traefik.containo.us/v1alpha1", []string{"*"}, "traefik.io/v1alpha1"},
}

func replacement(o *object) string {
	for _, g := range gone {
		if g.apiVersion == o.apiVersion && (g.kinds[0] == "*" || slices.Contains(g.kinds, o.kind)) {
			return g.now
		}
	}
	return ""
}

func checkKinds(p *project, r *report) {
	for _, o := range p.objects {
		if now := replacement(o); now != "" {
			step := "apiVersion"
			if !strings.Contains(now, "/") || strings.HasPrefix(now, "kind ") {
				step = "kind"
			}
			r.add("MQ603", o.at(step), "use "+now, "%s of %s is deprecated or gone", o.kind, o.apiVersion)
		}
	}
}

func checkTags(p *project, r *report) {
	for _, w := range p.workloads {
		for i, c := range w.spec.InitContainers {
			tag(r, w.pod("initContainers", i, "image"), c.Image)
		}
		for i, c := range w.spec.Containers {
			tag(r, w.pod("containers", i, "image"), c.Image)
		}
	}
	for _, f := range p.containers {
		for _, s := range f.stages {
			if s.from != "scratch" && f.stage(s.from) == nil {
				tag(r, s.place, s.from)
			}
		}
	}
}

func tag(r *report, at place, image string) {
	_, tag, digest := splitImage(image)
	switch {
	case strings.TrimSpace(image) == "" || strings.Contains(image, "$") || digest != "":
	case tag == "":
		r.add("MQ604", at, "name a version, best with its digest", "%s has no tag, which means latest", image)
	case tag == "latest":
		r.add("MQ604", at, "name a version, best with its digest", "%s changes with time", image)
	}
}
