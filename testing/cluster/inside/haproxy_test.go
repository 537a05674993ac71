package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	routev1 "github.com/openshift/api/route/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

func TestHAProxy(t *testing.T) {
	var routes routev1.RouteList
	var endpoints discoveryv1.EndpointSliceList
	for text, v := range map[string]any{
		`{"items": [
			{"metadata": {"name": "m", "namespace": "x", "annotations": {"haproxy.router.openshift.io/timeout-tunnel": "2h"}},
			 "spec": {"host": "m.test", "to": {"kind": "Service", "name": "m-tls"}, "port": {"targetPort": "mqtts"}, "tls": {"termination": "passthrough"}}},
			{"metadata": {"name": "web", "namespace": "x"}, "spec": {"host": "w.test", "to": {"name": "w"}, "tls": {"termination": "edge"}}}]}`: &routes,
		`{"items": [
			{"metadata": {"namespace": "x", "labels": {"kubernetes.io/service-name": "m-tls"}}, "ports": [{"name": "mqtts", "port": 8883}, {"name": "mqtt", "port": 1883}],
			 "endpoints": [{"addresses": ["10.244.1.2"], "conditions": {"ready": true}}, {"addresses": ["10.244.1.3"], "conditions": {"ready": false}}]},
			{"metadata": {"namespace": "y", "labels": {"kubernetes.io/service-name": "m-tls"}}, "ports": [{"name": "mqtts", "port": 8883}],
			 "endpoints": [{"addresses": ["10.244.9.9"]}]}]}`: &endpoints,
	} {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatal(err)
		}
	}
	got := (&router{listen: "127.0.0.1:18443"}).haproxy(routes.Items, endpoints.Items)
	for _, want := range []string{"use_backend be_tcp:x:m if { req.ssl_sni -i m.test }\n", "backend be_tcp:x:m\n  balance source\n  timeout tunnel 2h\n  server pod0 10.244.1.2:8883\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "w.test") || strings.Contains(got, "10.244.1.3") || strings.Contains(got, "10.244.9.9") || strings.Contains(got, "1883\n") && !strings.Contains(got, "8883\n") {
		t.Errorf("it leads to what it shouldn't:\n%s", got)
	}
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Log("haproxy isn't installed, so it isn't asked")
		return
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("haproxy", "-c", "-f", file).CombinedOutput(); err != nil {
		t.Errorf("haproxy -c: %v\n%s", err, out)
	}
}
