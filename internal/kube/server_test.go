package kube_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/mosqbuild/mosqbuild/internal/kube"
)

// server is as much of an API server as the client asks for: it keeps objects
// by path, and patches them with the API server's own library.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	version int
	objects map[string]map[string]any
	// before, if not nil, is called before each request is served, and may
	// answer it.
	before func(w http.ResponseWriter, r *http.Request) (done bool)
	seen   []string
	events []map[string]any
}

const servicePath = "/api/v1/namespaces/iot/services/mqtt"
const leasePath = "/apis/coordination.k8s.io/v1/namespaces/iot/leases/mqtt-failover"

func newServer(t *testing.T) *server {
	s := &server{objects: map[string]map[string]any{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true // as API servers do
	s.StartTLS()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	s.put(servicePath, `{"apiVersion":"v1","kind":"Service","metadata":{"name":"mqtt","uid":"u1"},"spec":{"ports":[{"port":1883}]}}`)
	s.put(leasePath, `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"mqtt-failover","labels":{"a":"b"}},"spec":{}}`)
	return s
}

// put stores an object as its next version.
func (s *server) put(path, text string) {
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(path, o)
}

func (s *server) store(path string, o map[string]any) {
	s.version++
	o["metadata"].(map[string]any)["resourceVersion"] = strconv.Itoa(s.version)
	s.objects[path] = o
}

func (s *server) text(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, _ := json.Marshal(s.objects[path])
	return string(data)
}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

func (s *server) remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, path)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	before := s.before
	s.seen = append(s.seen, r.Method+" "+r.URL.String())
	s.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/events") {
		var e map[string]any
		json.Unmarshal(body, &e)
		s.events = append(s.events, e)
		w.WriteHeader(http.StatusCreated)
		w.Write(body)
		return
	}
	o, ok := s.objects[r.URL.Path]
	if !ok {
		status(w, http.StatusNotFound, "not found")
		return
	}
	switch r.Method {
	case http.MethodPatch:
		s.patch(w, r, o, body)
		return
	case http.MethodPut:
		var next map[string]any
		json.Unmarshal(body, &next)
		if next["metadata"].(map[string]any)["resourceVersion"] != o["metadata"].(map[string]any)["resourceVersion"] {
			status(w, http.StatusConflict, "the object has been modified")
			return
		}
		s.store(r.URL.Path, next)
	}
	json.NewEncoder(w).Encode(s.objects[r.URL.Path])
}

func (s *server) patch(w http.ResponseWriter, r *http.Request, o map[string]any, body []byte) {
	if r.Header.Get("Content-Type") != "application/json-patch+json" {
		status(w, http.StatusUnsupportedMediaType, r.Header.Get("Content-Type"))
		return
	}
	old, _ := json.Marshal(o)
	patch, err := jsonpatch.DecodePatch(body)
	if err == nil {
		old, err = patch.Apply(old)
	}
	if err != nil {
		status(w, http.StatusUnprocessableEntity, "the server rejected our request due to an error in our request: "+err.Error())
		return
	}
	var next map[string]any
	json.Unmarshal(old, &next)
	s.store(r.URL.Path, next)
	json.NewEncoder(w).Encode(next)
}

func status(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "code": code, "message": message})
}

// kubeconfig writes one for the address, which is a proxy's or the server's.
func (s *server) kubeconfig(t *testing.T, address string) string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"one",
		"clusters":[{"name":"c","cluster":{"server":"https://%s","certificate-authority":%q}}],
		"users":[{"name":"u","user":{"token":"secret"}}],
		"contexts":[{"name":"one","context":{"cluster":"c","user":"u","namespace":"iot"}},
			{"name":"two","context":{"cluster":"c","user":"u"}}]}`, address, ca)
	path := filepath.Join(filepath.Dir(ca), "config")
	for name, data := range map[string][]byte{ca: cert, path: []byte(text)} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func (s *server) client(t *testing.T) *kube.Client {
	t.Helper()
	c, err := kube.Config(s.kubeconfig(t, s.Listener.Addr().String()), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
