package openshift

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	templatev1 "github.com/openshift/api/template/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/mosqbuild/mosqbuild/config"
)

// reference is how a Template's strings name a parameter. Nothing escapes it:
// see https://docs.redhat.com/en/documentation/openshift_container_platform/4.19/html/images/using-templates
var reference = regexp.MustCompile(`\$\{([a-zA-Z0-9_]+)\}`)

// template turns objects into those of a Template.
type template struct {
	values     Values
	hosts      []string
	parameters []templatev1.Parameter
	// kept are the values of the parameters that have none in the Template.
	kept map[string]string
}

// Template returns the objects as an OpenShift Template, and the content of a
// file for "oc process --param-file". What was rendered from v becomes a
// parameter with that value as its default. Every file of a Secret, in base64,
// becomes a required parameter without default, so that the Template holds
// nothing secret and stays as it is when they change: the parameter file has
// them, and the checksums of files. An ImageStream with a trigger on each workload comes on top of the objects.
func Template(objs []Object, v Values) (*templatev1.Template, []byte, error) {
	objects, err := trees(objs)
	if err != nil {
		return nil, nil, err
	}
	t := template{values: v, hosts: v.hosts(objects), kept: map[string]string{}}
	used := references(objects)
	if objects, err = t.withStream(objects); err != nil {
		return nil, nil, err
	}
	out := &templatev1.Template{
		TypeMeta: metav1.TypeMeta{APIVersion: "template.openshift.io/v1", Kind: "Template"},
		ObjectMeta: metav1.ObjectMeta{Name: v.Name, Annotations: map[string]string{
			"openshift.io/display-name": "Mosquitto",
			"description":               "The Mosquitto MQTT broker",
			"tags":                      "messaging,mqtt",
		}},
	}
	t.common()
	for _, o := range objects {
		t.object(o)
		raw, err := json.Marshal(o)
		if err != nil {
			return nil, nil, err
		}
		out.Objects = append(out.Objects, runtime.RawExtension{Raw: raw})
	}
	for _, p := range t.parameters {
		if used[p.Name] {
			return nil, nil, fmt.Errorf("making a Template of %q: an object holds the text ${%s}, which a Template can't keep", v.Name, p.Name)
		}
	}
	out.Parameters = t.needed(references(objects))
	return out, t.file(), nil
}

// references are the parameters that objects name.
func references(objects []map[string]any) map[string]bool {
	found := map[string]bool{}
	for _, o := range objects {
		walk(o, nil, func(_ []string, s string) string {
			for _, m := range reference.FindAllStringSubmatch(s, -1) {
				found[m[1]] = true
			}
			return s
		})
	}
	return found
}

// Parameters that may occur in every Template.
const (
	parameterName      = "NAME"
	parameterNamespace = "NAMESPACE"
	parameterHost      = "HOST"
	parameterImage     = "IMAGE"
	parameterAgent     = "AGENT_IMAGE"
	parameterMemory    = "MEMORY"
)

func (t *template) common() {
	t.parameters = []templatev1.Parameter{
		{Name: parameterName, Value: t.values.Name, Required: true,
			Description: "Name of the objects; with another, the server's certificate must carry it"},
		{Name: parameterNamespace, Value: t.values.Namespace, Required: true, Description: "Namespace of the objects"},
		{Name: parameterHost, Value: t.values.Host,
			Description: "Host name outside the cluster, which the server's certificate must carry; where empty, the router makes one"},
		{Name: parameterImage, Value: t.values.Image, Required: true, Description: "The broker's image, best by digest"},
		{Name: parameterAgent, Value: t.values.AgentImage, Required: true, Description: "The agents' image, best by digest"},
		{Name: parameterMemory, Value: t.values.Memory, Required: true, Description: "The broker's memory limit"},
	}
}

// needed are the parameters that are in use, each with what it stands for.
func (t *template) needed(used map[string]bool) []templatev1.Parameter {
	return slices.DeleteFunc(t.parameters, func(p templatev1.Parameter) bool { return !used[p.Name] })
}

// file is one NAME=VALUE a line. The values are base64, so that every reader of
// such files takes them as they are.
func (t *template) file() []byte {
	var out strings.Builder
	for _, p := range t.parameters {
		if value, kept := t.kept[p.Name]; kept {
			fmt.Fprintf(&out, "%s=%s\n", p.Name, value)
		}
	}
	return []byte(out.String())
}

// object puts parameters into o's fields.
func (t *template) object(o map[string]any) {
	id := identify(o)
	if isSecret(o) {
		t.secret(id.Name, o)
	}
	// A broker's own Route of a pair would claim the clients' host: the router names it.
	if spec, ok := o["spec"].(map[string]any); ok && id.Kind == "Route" && id.Name == t.values.Name && spec["host"] == nil {
		spec["host"] = ref(parameterHost)
	}
	walk(o, nil, func(path []string, s string) string {
		if isContent(path) {
			switch last := path[len(path)-1]; {
			case id.Kind == "ConfigMap" && strings.HasSuffix(last, ".conf"):
				return t.conf(s)
			case id.Kind == "ConfigMap" && last == config.AgentFile:
				return t.agent(s)
			}
			return s
		}
		return t.field(id, path, s)
	})
}

// field is s with parameters in it, where path says that they belong there.
func (t *template) field(id patchTarget, path []string, s string) string {
	last := path[len(path)-1]
	switch {
	case isImage(path) && s == t.values.Image, id.Kind == "ImageStream" && s == t.values.Image:
		return ref(parameterImage)
	case isImage(path) && s == t.values.AgentImage:
		return ref(parameterAgent)
	case last == "memory" && s == t.values.Memory:
		return ref(parameterMemory)
	case len(path) > 1 && path[len(path)-2] == "annotations" && strings.HasPrefix(last, "checksum/"):
		return t.apart("CHECKSUM", id.Name, s, "Another value replaces the pod, as changed certificates or logins should")
	case s == t.values.Namespace && isNamespace(id, path):
		return ref(parameterNamespace)
	case len(path) == 2 && path[0] == "metadata" && last == "namespace":
		// One that is written out gets lost when a Template is processed.
		return t.parameter(parameterNamespace, id.Name, s, "Namespace of "+id.Name)
	case isName(path):
		return t.name(s)
	}
	before, host, after, ok := cutHost(s, t.hosts)
	switch {
	case ok && host == t.values.Host:
		return before + ref(parameterHost) + after
	case ok:
		return before + t.parameter(parameterHost, id.Name, host, "Host name outside the cluster of "+id.Name) + after
	case len(path) > 1 && path[len(path)-2] == "dnsNames":
		return t.dnsName(s)
	}
	return s
}

// secret makes a parameter of each file of a Secret.
func (t *template) secret(name string, o map[string]any) {
	data, _ := o["data"].(map[string]any)
	if clear, ok := o["stringData"].(map[string]any); ok && data == nil {
		data = map[string]any{}
		o["data"] = data
		for key, value := range clear {
			text, _ := value.(string)
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
		}
		delete(o, "stringData")
	}
	walk(data, nil, func(path []string, s string) string {
		if s == "" {
			return s
		}
		what := fmt.Sprintf("The file %s of the Secret %s, in base64", path[0], name)
		reference := t.apart(constant(path[0]), name, s, what)
		t.parameters[t.find(reference)].Required = true
		return reference
	})
}

// apart is parameter for a value that stands in the parameter file alone.
func (t *template) apart(name, object, value, description string) string {
	reference := t.parameter(name, object, value, description)
	p := &t.parameters[t.find(reference)]
	t.kept[p.Name], p.Value = value, ""
	return reference
}

// parameter returns the reference to a parameter with the value. It is called
// name, unless another has that name: then the object's name goes before it.
func (t *template) parameter(name, object, value, description string) string {
	prefix := constant(strings.TrimPrefix(object, t.values.Name+"-")) + "_"
	for candidate, i := name, 0; ; i++ {
		n := t.find(ref(candidate))
		if n < 0 {
			t.parameters = append(t.parameters, templatev1.Parameter{Name: candidate, Value: value, Description: description})
			return ref(candidate)
		}
		if t.parameters[n].Value == value || t.kept[candidate] == value {
			return ref(candidate)
		}
		candidate = prefix + name
		if i > 0 {
			candidate = fmt.Sprintf("%s%s_%d", prefix, name, i+1)
		}
	}
}

func (t *template) find(reference string) int {
	return slices.IndexFunc(t.parameters, func(p templatev1.Parameter) bool { return ref(p.Name) == reference })
}

// ref is how strings name a parameter.
func ref(name string) string { return "${" + name + "}" }

// constant is s as the name of a parameter.
func constant(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(s))
}
