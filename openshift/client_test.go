package openshift_test

import (
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/openshift"
)

func TestCommands(t *testing.T) {
	for name, tc := range map[string]struct {
		client openshift.Client
		want   []string
		absent string
	}{
		"full": {openshift.Client{OptionsDir: ".mosqbuild/client", CA: ".mosqbuild/certs/ca.crt"}, []string{
			"  XDG_CONFIG_HOME=.mosqbuild/client mosquitto_sub -h mqtt.example.com -p 443 --cafile .mosqbuild/certs/ca.crt -t '#' -v\n",
			"-h site-tls.telemetry.svc -p 8883 --cafile",
			"-h site.telemetry.svc -p 1883 -t",
			"SNI",
		}, "certs init"},
		"default": {openshift.Client{OptionsDir: "it's here", CA: "a b"}, []string{
			`XDG_CONFIG_HOME='it'\''s here' mosquitto_sub -h HOST -p 443 --cafile 'a b' -t`,
			"oc get route mosquitto -o jsonpath", "mosqbuild certs init --force --host HOST",
			"-h mosquitto-tls -p 8883",
		}, ".svc"},
		"cert-manager": {openshift.Client{OptionsDir: "x", CA: "y"}, []string{
			"kubectl get secret mosquitto-tls -o jsonpath='{.data.ca\\.crt}' | base64 -d > ca.crt", "-h mqtt.example.com -p 443 --cafile ca.crt",
		}, " y "},
		"service-ca": {openshift.Client{OptionsDir: "x", CA: "y"}, []string{
			"oc get configmap mosquitto-ca -o", "-h mosquitto-tls.NAMESPACE.svc -p 8883 --cafile ca.crt",
		}, "443"},
		"loadbalancer": {openshift.Client{OptionsDir: "x", CA: "y"}, []string{
			"-h mqtt.example.com -p 8883 --cafile y", "-h mqtt.example.com -p 1883", "-h mosquitto -p 8883",
		}, "443"},
		"ha": {openshift.Client{OptionsDir: "x", CA: "y"}, []string{
			"kubectl get service mosquitto -n iot -o", "-h ADDRESS -p 8883", "-h mosquitto.iot.svc -p 8883",
		}, "Route"},
		"ha-traefik": {openshift.Client{OptionsDir: "x", CA: "y"}, []string{"-h mqtt.example.com -p 8883", "-h mqtt.example.com -p 1883"}, "ADDRESS"},
		"ha-route":   {openshift.Client{OptionsDir: "x", CA: "y"}, []string{"-h mqtt.example.com -p 443", "-h mosquitto.iot.svc -p 8883"}, "ADDRESS"},
		"websockets": {openshift.Client{OptionsDir: "x", CA: "y"}, []string{
			"  wss://HOST:443\n", "-h mosquitto -p 1883 -t", "without TLS, over WebSockets:\n  ws://mosquitto:8080\n", "with TLS, over WebSockets:\n  wss://mosquitto-tls:8443\n",
		}, "cafile"},
		"plain": {openshift.Client{OptionsDir: "x", CA: "y"}, []string{"mosquitto_sub -h mosquitto -p 1883 -t '#' -v\n"}, "443"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.client.Commands(deployments()[name])
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			if strings.Contains(got, tc.absent) {
				t.Errorf("there is %q in\n%s", tc.absent, got)
			}
		})
	}
}
