package openshift

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/mosqbuild/mosqbuild/openshift/crd"
)

// traefikValues are the values of Traefik's chart that open its ports. What it
// doesn't name, web and websecure too, stays at the chart's default.
type traefikValues struct {
	Ports map[string]traefikPort `json:"ports"`
}

type traefikPort struct {
	Port        int             `json:"port"`
	ExposedPort int             `json:"exposedPort"`
	Expose      map[string]bool `json:"expose"` // by Service; it was a bool before chart 27
	Protocol    string          `json:"protocol"`
}

// traefikNames and traefikPorts are those of the entry points that the chart has of
// its own, 9000 by older ones:
// https://github.com/traefik/traefik-helm-chart/blob/master/traefik/values.yaml.
var (
	traefikNames = []string{"web", "websecure", "traefik", "metrics"}
	traefikPorts = []int{8000, 8080, 8443, 9000, 9100}
)

// helmChartConfig opens the entry points in the Traefik that k3s installs. A
// cluster has one HelmChartConfig of that name at most.
func helmChartConfig(entries []entryPoint) (*crd.HelmChartConfig, error) {
	values := traefikValues{Ports: map[string]traefikPort{}}
	for _, e := range entries {
		port := e.port
		if slices.Contains(traefikPorts, port) {
			port += 10000
		}
		values.Ports[e.name] = traefikPort{port, e.port, map[string]bool{"default": true}, "TCP"}
	}
	text, err := yaml.Marshal(values)
	if err != nil {
		return nil, err
	}
	return &crd.HelmChartConfig{
		TypeMeta:   metav1.TypeMeta{APIVersion: "helm.cattle.io/v1", Kind: "HelmChartConfig"},
		ObjectMeta: metav1.ObjectMeta{Name: "traefik", Namespace: "kube-system"},
		Spec:       crd.HelmChartConfigSpec{ValuesContent: string(text)},
	}, nil
}
