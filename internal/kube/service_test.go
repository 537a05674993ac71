package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// service is the Service with these annotations, as JSON.
func service(annotations string) string {
	return `{"apiVersion":"v1","kind":"Service","metadata":{"name":"mqtt","uid":"u1"` + annotations + `},"spec":{"selector":{"old":"x"},"ports":[{"port":1883}]}}`
}

func TestWrite(t *testing.T) {
	yes := "yes"
	ours := func(value string) string { return fmt.Sprintf(`,"annotations":{%q:%q}`, record.Annotation, value) }
	for name, c := range map[string]struct {
		annotations string
		change      kube.Change
		want        error
		// then is what is there afterwards, without metadata but annotations.
		then     map[string]string
		selector string
	}{
		"no annotations":         {"", kube.Change{New: "1"}, nil, map[string]string{record.Annotation: "1"}, "old"},
		"other annotations":      {`,"annotations":{"a/b":"c"}`, kube.Change{New: "1"}, nil, map[string]string{"a/b": "c", record.Annotation: "1"}, "old"},
		"null annotations":       {`,"annotations":null`, kube.Change{New: "1"}, nil, map[string]string{record.Annotation: "1"}, "old"},
		"swap":                   {ours("1"), kube.Change{Old: "1", New: "2"}, nil, map[string]string{record.Annotation: "2"}, "old"},
		"swap and select":        {ours("1"), kube.Change{Old: "1", New: "2", Selector: map[string]string{"role": "x"}}, nil, map[string]string{record.Annotation: "2"}, "role"},
		"wants none, has one":    {ours("1"), kube.Change{New: "2", Selector: map[string]string{"role": "x"}}, kube.ErrConflict, map[string]string{record.Annotation: "1"}, "old"},
		"wants one, has none":    {`,"annotations":{"a":"b"}`, kube.Change{Old: "1", New: "2"}, kube.ErrConflict, map[string]string{"a": "b"}, "old"},
		"wants one, none at all": {"", kube.Change{Old: "1", New: "2"}, kube.ErrConflict, nil, "old"},
		"another one":            {ours("3"), kube.Change{Old: "1", New: "2", Annotations: map[string]*string{"a": &yes}}, kube.ErrConflict, map[string]string{record.Annotation: "3"}, "old"},
		"written already":        {ours("2"), kube.Change{Old: "1", New: "2"}, nil, map[string]string{record.Annotation: "2"}, "old"},
		"begun already":          {ours("2"), kube.Change{New: "2"}, nil, map[string]string{record.Annotation: "2"}, "old"},
		"removed":                {ours("1"), kube.Change{Old: "1"}, nil, nil, "old"},
		"others alone":           {ours("1"), kube.Change{Annotations: map[string]*string{"a/~b": &yes}}, nil, map[string]string{record.Annotation: "1", "a/~b": "yes"}, "old"},
		"others, nothing there":  {"", kube.Change{Annotations: map[string]*string{"a": &yes}}, nil, map[string]string{"a": "yes"}, "old"},
		"delete another":         {`,"annotations":{"x/y":"z"}`, kube.Change{New: "1", Annotations: map[string]*string{"x/y": nil}}, nil, map[string]string{record.Annotation: "1"}, "old"},
		"delete nothing":         {ours("1"), kube.Change{Old: "1", New: "2", Annotations: map[string]*string{"x/y": nil}}, nil, map[string]string{record.Annotation: "2"}, "old"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.put(servicePath, service(c.annotations))
			client := s.client(t)
			if err := client.Write(context.Background(), "mqtt", c.change); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			got, err := client.Service(context.Background(), "mqtt")
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got.Annotations) != fmt.Sprint(c.then) {
				t.Errorf("annotations: got %v, want %v", got.Annotations, c.then)
			}
			if len(got.Selector) != 1 || got.Selector[c.selector] != "x" {
				t.Errorf("selector: got %v, want %v", got.Selector, c.selector)
			}
			if !strings.Contains(s.text(servicePath), `"ports":[{"port":1883}]`) {
				t.Errorf("the rest has changed: %s", s.text(servicePath))
			}
		})
	}
}

// The ports' targets change with the rest, or nothing does.
func TestWritePorts(t *testing.T) {
	s := newServer(t)
	text := strings.Replace(service(fmt.Sprintf(`,"annotations":{%q:"1"}`, record.Annotation)), `{"port":1883}`, `{"name":"mqtt","port":1883},{"name":"web","port":9001,"targetPort":"web"},{"name":"mqtts","port":443,"targetPort":8883}`, 1)
	s.put(servicePath, text)
	client := s.client(t)
	got, err := client.Service(context.Background(), "mqtt")
	if want := []kube.Port{{"mqtt", 0}, {"web", 0}, {"mqtts", 8883}}; err != nil || !slices.Equal(got.Ports, want) {
		t.Fatalf("ports: got %v, %v, want %v", got.Ports, err, want)
	}
	change := kube.Change{Old: "1", New: "2", Ports: []kube.Port{{"web", 0}, {"mqtt", 20007}, {"mqtts", 21007}}}
	if err := client.Write(context.Background(), "mqtt", change); err == nil || !strings.Contains(s.text(servicePath), `"1"`) {
		t.Errorf("with ports in another order: %v, %s", err, s.text(servicePath))
	}
	change.Ports = []kube.Port{{"mqtt", 20007}, {"web", 0}, {"mqtts", 21007}}
	if err := client.Write(context.Background(), "mqtt", change); err != nil {
		t.Error(err)
	}
	if want := `"ports":[{"name":"mqtt","port":1883,"targetPort":20007},{"name":"web","port":9001,"targetPort":"web"},{"name":"mqtts","port":443,"targetPort":21007}]`; !strings.Contains(s.text(servicePath), want) {
		t.Errorf("want %s in %s", want, s.text(servicePath))
	}
}

// TestWriteAgainstOthers has somebody change the Service between the reading
// and the writing: what doesn't concern the record mustn't stop it.
func TestWriteAgainstOthers(t *testing.T) {
	s := newServer(t)
	times := 0
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if times++; r.Method == http.MethodPatch && times < 6 {
			s.put(servicePath, service(fmt.Sprintf(`,"annotations":{"other":"%d"}`, times)))
		}
		return false
	}
	client := s.client(t)
	if err := client.Write(context.Background(), "mqtt", kube.Change{New: "1"}); err != nil {
		t.Fatal(err)
	}
	got, err := client.Service(context.Background(), "mqtt")
	if err != nil || got.Annotations[record.Annotation] != "1" || got.Annotations["other"] == "" {
		t.Errorf("%+v, %v", got, err)
	}
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch {
			s.put(servicePath, service(fmt.Sprintf(`,"annotations":{%q:"theirs"}`, record.Annotation)))
		}
		return false
	}
	if err := client.Write(context.Background(), "mqtt", kube.Change{Old: "1", New: "2"}); !errors.Is(err, kube.ErrConflict) || !strings.Contains(err.Error(), "theirs") {
		t.Errorf("another one has written: %v", err)
	}
}

func TestWriteIsOneRequest(t *testing.T) {
	s := newServer(t)
	s.put(servicePath, service(fmt.Sprintf(`,"annotations":{%q:"1"}`, record.Annotation)))
	if err := s.client(t).Write(context.Background(), "mqtt", kube.Change{Old: "1", New: "2"}); err != nil {
		t.Fatal(err)
	}
	if got := s.requests(); !slices.Equal(got, []string{"PATCH " + servicePath}) {
		t.Errorf("requests: %q", got)
	}
}

func TestRefusals(t *testing.T) {
	for code, want := range map[int]error{
		http.StatusForbidden: kube.ErrForbidden, http.StatusUnauthorized: kube.ErrForbidden,
		http.StatusNotFound: kube.ErrNotFound, http.StatusConflict: nil,
		http.StatusInternalServerError: nil, http.StatusTooManyRequests: nil, http.StatusUnprocessableEntity: nil,
	} {
		s := newServer(t)
		s.put(servicePath, service(fmt.Sprintf(`,"annotations":{%q:"1"}`, record.Annotation)))
		s.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch {
				w.Header().Set("Retry-After", "1")
				status(w, code, "because")
			}
			return r.Method == http.MethodPatch
		}
		err := s.client(t).Write(context.Background(), "mqtt", kube.Change{Old: "1", New: "2"})
		if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), "because") {
			t.Errorf("%d: %v", code, err)
		}
		// A Service that the API server doesn't like isn't somebody else's.
		if code != http.StatusConflict && errors.Is(err, kube.ErrConflict) {
			t.Errorf("%d is a conflict: %v", code, err)
		}
	}
}

func TestService(t *testing.T) {
	s := newServer(t)
	client := s.client(t)
	got, err := client.Service(context.Background(), "mqtt")
	if err != nil || got.Name != "mqtt" || got.UID != "u1" || got.ResourceVersion == "" || got.Annotations != nil || got.Selector != nil {
		t.Errorf("%+v, %v", got, err)
	}
	// A resourceVersion would allow an answer from a cache.
	if r := s.requests(); !slices.Equal(r, []string{"GET " + servicePath}) {
		t.Errorf("requests: %q", r)
	}
	if _, err := client.Service(context.Background(), "none"); !errors.Is(err, kube.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		fmt.Fprint(w, "<html>a proxy's page</html>")
		return true
	}
	if _, err := client.Service(context.Background(), "mqtt"); err == nil {
		t.Error("a page is no Service")
	}
}

func TestEvent(t *testing.T) {
	s := newServer(t)
	client := s.client(t)
	service, err := client.Service(context.Background(), "mqtt")
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"to the secondary", strings.Repeat("x", 5000)} {
		if err := client.Event(context.Background(), service, kube.Warning, "Switched", message); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.events) != 2 {
		t.Fatalf("%d events", len(s.events))
	}
	e := s.events[0]
	object := e["involvedObject"].(map[string]any)
	if e["type"] != "Warning" || e["reason"] != "Switched" || e["message"] != "to the secondary" || object["uid"] != "u1" || object["name"] != "mqtt" {
		t.Errorf("%v", e)
	}
	if n := len(s.events[1]["message"].(string)); n != 1024 {
		t.Errorf("a message of %d bytes", n)
	}
}
