package cluster_test

import (
	"strings"
	"testing"
)

// The cluster's definitions and admission refuse what OpenShift's, Traefik's,
// k3s' and cert-manager's do.
func TestClusterRefuses(t *testing.T) {
	c := server(t)
	if err := c.Namespace(t.Context(), "refused", 0); err != nil {
		t.Fatal(err)
	}
	const pod = `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: i%s}]}}`
	const sound = `, securityContext: {runAsNonRoot: true, runAsUser: 1, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}`
	for name, test := range map[string]struct{ object, want string }{
		"a sound pod":                  {strings.Replace(pod, "%s", sound, 1), ""},
		"a privileged pod":             {strings.Replace(pod, "%s", ", securityContext: {privileged: true}", 1), "violates PodSecurity"},
		"a pod that may be root":       {strings.Replace(pod, "%s", "", 1), "violates PodSecurity"},
		"a field in the wrong place":   {strings.Replace(pod, "%s", sound+", exec: {command: [a]}", 1), "not declared in schema"},
		"a Route of another kind":      {`{apiVersion: route.openshift.io/v1, kind: Route, metadata: {name: r}, spec: {to: {kind: Service, name: s}, tls: {termination: passthru}}}`, "spec.tls.termination"},
		"a Route that redirects MQTT":  {`{apiVersion: route.openshift.io/v1, kind: Route, metadata: {name: r}, spec: {to: {kind: Service, name: s}, tls: {termination: passthrough, insecureEdgeTerminationPolicy: Allow}}}`, "insecureEdgeTerminationPolicy"},
		"an unknown field of Traefik":  {`{apiVersion: traefik.io/v1alpha1, kind: IngressRouteTCP, metadata: {name: r}, spec: {routes: [{match: a, servicez: []}]}}`, "not declared in schema"},
		"an unknown field of k3s":      {`{apiVersion: helm.cattle.io/v1, kind: HelmChartConfig, metadata: {name: r}, spec: {values: a}}`, "not declared in schema"},
		"a Certificate without issuer": {`{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: r}, spec: {secretName: s}}`, "issuerRef"},
	} {
		out, err := c.Apply(t.Context(), test.object, "--dry-run=server", "--namespace", "refused")
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %q, %v; want %q", name, out, err, test.want)
		}
	}
}
