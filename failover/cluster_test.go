package failover_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/internal/kube"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// cluster is one whose API server answers as handle does.
func cluster(t *testing.T, handle http.HandlerFunc) *failover.Cluster {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"x","clusters":[{"name":"x","cluster":{"server":%q}}],
"users":[{"name":"x","user":{}}],"contexts":[{"name":"x","context":{"cluster":"x","user":"x","namespace":"mq"}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := kube.Config(file, "", "")
	if err != nil {
		t.Fatal(err)
	}
	s := settings()
	s.Name, s.Selector = "m", map[string]string{"app": "m"}
	return failover.NewCluster(client, "a_192.0.2.1", s, slog.New(slog.DiscardHandler))
}

// service writes the clients' Service.
func service(w io.Writer, selector, text string) {
	fmt.Fprintf(w, `{"metadata":{"name":"m","uid":"u","resourceVersion":"1","annotations":{%q:%q,%q:"true",%q:"{}"}},"spec":{"selector":%s,"ports":[{"name":"mqtts","port":443,"targetPort":21000},{"name":"web","port":9001,"targetPort":"other"},{"name":"mqtt","port":1883,"targetPort":1883}]}}`,
		record.Annotation, text, record.AnnotationPaused, record.AnnotationRequest, selector)
}

func TestTheServiceIsRead(t *testing.T) {
	for selector, want := range map[string]string{
		`{"app":"m","role":"secondary"}`:         secondary,
		`{"app":"m"}`:                            "",
		`{"role":"primary"}`:                     "",
		`{"app":"other","role":"primary"}`:       "",
		`{"app":"m","role":"primary","more":""}`: "",
		`null`:                                   "",
	} {
		c := cluster(t, func(w http.ResponseWriter, _ *http.Request) { service(w, selector, "old") })
		got, err := c.Read(t.Context())
		targets := map[string]int{"mqtt": 1883, "mqtts": 21000, "web": 0}
		if err != nil || !reflect.DeepEqual(got, failover.Service{Text: "old", Selector: want, Targets: targets, Paused: "true", Request: "{}"}) {
			t.Errorf("%s: %+v, %v", selector, got, err)
		}
	}
}

func TestTheServiceIsWritten(t *testing.T) {
	var patches []string
	present := "old"
	c := cluster(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			body, _ := io.ReadAll(r.Body)
			patches = append(patches, string(body))
			if present != "old" {
				w.WriteHeader(http.StatusUnprocessableEntity)
				fmt.Fprint(w, `{"kind":"Status","message":"the test failed"}`)
				return
			}
		}
		service(w, `{"app":"m","role":"primary"}`, present)
	})
	if _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := record.Record{Epoch: 2, Active: secondary, Slot: 7}
	if err := c.Write(t.Context(), "old", next, false); err != nil || strings.Contains(patches[0], "selector") || strings.Contains(patches[0], "ports") {
		t.Errorf("%v, by %s", err, patches)
	}
	if err := c.Write(t.Context(), "old", next, true); err != nil {
		t.Error(err)
	}
	// Where somebody has put the ports into another order, all of it fails.
	for _, want := range []string{
		`"value":{"app":"m","role":"secondary"}`,
		`{"op":"test","path":"/spec/ports/0/name","value":"mqtts"},{"op":"add","path":"/spec/ports/0/targetPort","value":21007}`,
		`{"op":"test","path":"/spec/ports/2/name","value":"mqtt"},{"op":"add","path":"/spec/ports/2/targetPort","value":20007}`,
	} {
		if !strings.Contains(patches[1], want) {
			t.Errorf("%s isn't in %s", want, patches[1])
		}
	}
	if strings.Contains(patches[1], "/spec/ports/1/") {
		t.Errorf("a port that is no client's is changed: %s", patches[1])
	}
	present = "another"
	if err := c.Write(t.Context(), "old", next, true); !errors.Is(err, failover.ErrConflict) {
		t.Errorf("no conflict: %v", err)
	}
}

func TestEventsAreAboutTheService(t *testing.T) {
	var got struct {
		Type, Reason, Message string
		InvolvedObject        struct{ Kind, Name, UID string }
	}
	c := cluster(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = json.NewDecoder(r.Body).Decode(&got)
		}
		service(w, "null", "")
	})
	e := failover.Event{Warning: true, Reason: "SwitchBegun", Message: "broker silent"}
	if c.Event(t.Context(), e) == nil {
		t.Error("an event on a Service that wasn't read")
	}
	if _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Event(t.Context(), e); err != nil || got.Type != "Warning" || got.Reason != e.Reason || got.InvolvedObject.UID != "u" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMissingRightsEndAController(t *testing.T) {
	c := cluster(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind":"Status","message":"leases \"m-failover\" is forbidden"}`)
	})
	c.Patience = time.Second
	ended := make(chan error, 1)
	go func() { ended <- c.Elect(t.Context(), nil, func(string) {}) }()
	select {
	case err := <-ended:
		if !errors.Is(err, kube.ErrForbidden) || !strings.Contains(err.Error(), `"m-failover" is forbidden`) {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on without the right to its Lease")
	}
}
