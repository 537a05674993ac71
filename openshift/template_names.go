package openshift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mosqbuild/mosqbuild/config"
)

// Where a name of the deployment stands: fields, the fields whose "name" it is,
// and lists of such.
var (
	nameFields = []string{
		"app.kubernetes.io/instance", "app.kubernetes.io/part-of",
		"secretName", "claimName", "serviceName", "serviceAccountName",
		"service.beta.openshift.io/serving-cert-secret-name",
	}
	nameParents = []string{
		"metadata", "configMap", "secret", "to", "roleRef", "service", "role",
		"secretKeyRef", "configMapKeyRef", "secretRef", "configMapRef",
	}
	nameLists = []string{"subjects", "services", "alternateBackends"}
)

// isName tells whether the string at path may be a name that follows from the
// deployment's. Others may look the same and mustn't change with it: the label
// app.kubernetes.io/name, containers, ports, pull secrets.
func isName(path []string) bool {
	n := len(path)
	if slices.Contains(nameFields, path[n-1]) {
		return true
	}
	if n < 2 {
		return false
	}
	switch {
	case path[n-2] == "resourceNames":
		return true
	case path[n-1] != "name":
		return false
	case slices.Contains(nameParents, path[n-2]):
		return true
	}
	return n > 2 && slices.Contains(nameLists, path[n-3])
}

// isNamespace tells whether the string at path names a namespace.
func isNamespace(id patchTarget, path []string) bool {
	switch path[len(path)-1] {
	case "namespace", "kubernetes.io/metadata.name":
		return true
	}
	return id.Kind == "Namespace" && len(path) == 2 && path[1] == "name"
}

// name is s with the parameter in it, where it is the deployment's name or
// begins with it.
func (t *template) name(s string) string {
	if rest, ok := strings.CutPrefix(s, t.values.Name); ok && (rest == "" || rest[0] == '-') {
		return ref(parameterName) + rest
	}
	return s
}

// dnsName is s, NAME[.NAMESPACE[.…]], with the parameters in it.
func (t *template) dnsName(s string) string {
	first, rest, dotted := strings.Cut(s, ".")
	named := t.name(first)
	switch {
	case named == first: // another's, or an address
		return s
	case !dotted:
		return named
	}
	if namespace, _, _ := strings.Cut(rest, "."); namespace == t.values.Namespace {
		rest = ref(parameterNamespace) + strings.TrimPrefix(rest, namespace)
	}
	return named + "." + rest
}

// confNames are the options of mosquitto.conf that name a broker.
var confNames = []string{"connection", "address", "addresses", "clientid", "remote_clientid", "local_clientid"}

// conf is a mosquitto.conf with the parameters in what its bridges name.
func (t *template) conf(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 2 || !slices.Contains(confNames, fields[0]) {
			continue
		}
		for _, address := range fields[1:] {
			host, port, found := strings.Cut(address, ":")
			if found {
				port = ":" + port
			}
			lines[i] = strings.Replace(lines[i], address, t.dnsName(host)+port, 1)
		}
	}
	return strings.Join(lines, "")
}

// agent is an agents' settings with the parameter in the names there, which
// stand in lines of their own. The certificate in the parameters keeps its name.
func (t *template) agent(text string) string {
	quoted := func(s string) string { return `": "` + s + `"` }
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		key, _, _ := strings.Cut(strings.TrimLeft(line, ` "`), `"`)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if key == "name" && indent == 2 || key == labelInstance {
			lines[i] = strings.Replace(line, quoted(t.values.Name), quoted(ref(parameterName)), 1)
		}
		if key == "name" && indent == 2 {
			lines[i] += fmt.Sprintf("  %q: %q,\n", "certificate", config.Agent{Name: t.values.Name}.ServerName())
		}
	}
	return strings.Join(lines, "")
}
