package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/mosqbuild/mosqbuild/testing/cluster/kubeapi"
)

// apiOf serves collections.
func apiOf(t *testing.T, collections map[string]string) *kubeapi.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := collections[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return &kubeapi.Client{Server: s.URL, HTTP: s.Client()}
}

func testZone(t *testing.T, routes bool) *zone {
	t.Helper()
	collections := map[string]string{
		"/api/v1/services": `{"items": [
			{"metadata": {"name": "a", "namespace": "x"}, "spec": {"clusterIP": "10.96.1.1", "clusterIPs": ["10.96.1.1"]}},
			{"metadata": {"name": "lb", "namespace": "x", "annotations": {"external-dns.alpha.kubernetes.io/hostname": "mqtt.example.com"}},
			 "spec": {"clusterIP": "10.96.1.2", "clusterIPs": ["10.96.1.2"]}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}},
			{"metadata": {"name": "h", "namespace": "x"}, "spec": {"clusterIP": "None"}}]}`,
		"/apis/discovery.k8s.io/v1/endpointslices": `{"items": [
			{"metadata": {"namespace": "x", "labels": {"kubernetes.io/service-name": "h"}}, "endpoints": [
				{"addresses": ["10.244.1.2"], "hostname": "h-0", "conditions": {"ready": true}},
				{"addresses": ["10.244.2.2"], "conditions": {"ready": false}}]}]}`,
	}
	if routes {
		collections["/apis/route.openshift.io/v1/routes"] = `{"items": [{"spec": {"host": "r.apps.test"}}]}`
	}
	z := &zone{api: apiOf(t, collections), domain: "cluster.local", router: "10.88.77.1"}
	names, err := z.read()
	if err != nil {
		t.Fatal(err)
	}
	z.names = names
	return z
}

func TestAnswer(t *testing.T) {
	z := testZone(t, true)
	for name, want := range map[string][4]byte{
		"a.x.svc.cluster.local.":     {10, 96, 1, 1},
		"A.X.svc.cluster.local.":     {10, 96, 1, 1},
		"mqtt.example.com.":          {192, 0, 2, 1},
		"h.x.svc.cluster.local.":     {10, 244, 1, 2},
		"h-0.h.x.svc.cluster.local.": {10, 244, 1, 2},
		"r.apps.test.":               {10, 88, 77, 1},
		"b.x.svc.cluster.local.":     {},
	} {
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			reply := ask(t, z, name, kind)
			var got [][4]byte
			for _, r := range reply.Answers {
				got = append(got, r.Body.(*dnsmessage.AResource).A)
			}
			known := want != [4]byte{}
			if (reply.RCode == dnsmessage.RCodeSuccess) != known || reply.ID != 7 {
				t.Errorf("%s %s: %v", name, kind, reply.Header)
			}
			if known && kind == dnsmessage.TypeA && !slices.Equal(got, [][4]byte{want}) || kind == dnsmessage.TypeAAAA && got != nil {
				t.Errorf("%s %s: %v", name, kind, got)
			}
		}
	}
}

// Before the API knows Routes, Services have their names all the same.
func TestWithoutRoutes(t *testing.T) {
	if _, ok := testZone(t, false).lookup("a.x.svc.cluster.local"); !ok {
		t.Error("a Service has no name")
	}
}

func ask(t *testing.T, z *zone, name string, kind dnsmessage.Type) dnsmessage.Message {
	t.Helper()
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	data, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	data, err = z.answer(data)
	if err != nil {
		t.Fatal(err)
	}
	var reply dnsmessage.Message
	if err := reply.Unpack(data); err != nil {
		t.Fatal(err)
	}
	return reply
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"))
	f.Add([]byte("\x00\x07\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"))
	z := &zone{names: map[string][]string{"a": {"10.0.0.1", "::1", "x"}}}
	f.Fuzz(func(t *testing.T, message []byte) {
		reply, err := z.answer(message)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(reply); err != nil || !m.Response {
			t.Errorf("%v: %v", m, err)
		}
	})
}
