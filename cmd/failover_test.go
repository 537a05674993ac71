package cmd

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/internal/fault"
	"github.com/mosqbuild/mosqbuild/internal/record"
)

// clusterAPI is as much of an API server as the failover commands see.
type clusterAPI struct {
	mu          sync.Mutex
	annotations map[string]string
	// deny are the methods that RBAC forbids.
	deny string
	// obey, if not nil, is what the controllers do once the Service changes.
	obey func(annotations map[string]string, r *record.Record)
	// renewed is when the leader last renewed its Lease, "" now; by a clock that
	// is so much ahead.
	renewed string
	ahead   time.Duration
}

var readyPair = record.Record{
	Epoch: 7, Leader: "m-failover-7d9c-a", Active: config.RolePrimary, Standby: config.RoleSecondary, Run: "s1", Ready: true,
	Since: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Reason: "secondary is ready to take over",
}

func (c *clusterAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	refuse := func(code int, text string) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","status":"Failure","message":%q,"code":%d}`, text, code)
	}
	switch {
	case strings.Contains(c.deny, r.Method):
		refuse(http.StatusForbidden, `services "m" is forbidden: User "jo" cannot do that`)
		return
	case strings.HasSuffix(r.URL.Path, "/namespaces/mq/leases/m-failover"):
		fmt.Fprintf(w, `{"metadata":{"name":"m-failover"},"spec":{"holderIdentity":"m-failover-7d9c-a","leaseDurationSeconds":1,"renewTime":%q}}`,
			cmp.Or(c.renewed, time.Now().Add(c.ahead).UTC().Format("2006-01-02T15:04:05.000000Z07:00")))
		return
	case !strings.HasSuffix(r.URL.Path, "/namespaces/mq/services/m"):
		refuse(http.StatusNotFound, "not found: "+r.URL.Path)
		return
	}
	if r.Method == http.MethodPatch {
		c.patch(r)
	}
	s := map[string]any{
		"metadata": map[string]any{"name": "m", "uid": "u", "resourceVersion": "1", "annotations": c.annotations},
		"spec":     map[string]any{"selector": map[string]string{"role": "primary"}},
	}
	_ = json.NewEncoder(w).Encode(s)
}

// patch carries out the operations that concern annotations.
func (c *clusterAPI) patch(r *http.Request) {
	var ops []struct {
		Op, Path string
		Value    any
	}
	_ = json.NewDecoder(r.Body).Decode(&ops)
	for _, op := range ops {
		key := strings.ReplaceAll(strings.TrimPrefix(op.Path, "/metadata/annotations/"), "~1", "/")
		switch op.Op {
		case "add":
			c.annotations[key], _ = op.Value.(string)
		case "remove":
			delete(c.annotations, key)
		}
	}
	now, err := record.Parse(c.annotations[record.Annotation])
	if err == nil && now != nil && c.obey != nil {
		c.obey(c.annotations, now)
		c.annotations[record.Annotation] = now.String()
	}
}

// failover runs a command against api and returns what it printed.
func (c *clusterAPI) failover(t *testing.T, args ...string) (code fault.Code, out, errOut string) {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	kubeconfig := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"x",
"clusters":[{"name":"x","cluster":{"server":%q}}],"users":[{"name":"x","user":{"token":"t"}}],
"contexts":[{"name":"x","context":{"cluster":"x","user":"x","namespace":"mq"}}]}`, server.URL)
	if err := os.WriteFile(file, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var o, e bytes.Buffer
	args = append([]string{"failover", "--kubeconfig", file, "--name", "m"}, args...)
	got := Main(t.Context(), args, nil, &o, &e)
	return fault.Code(got), o.String(), e.String()
}

func clusterWith(r record.Record) *clusterAPI {
	return &clusterAPI{annotations: map[string]string{record.Annotation: r.String()}}
}

func TestFailoverStatus(t *testing.T) {
	spoilt, switching := readyPair, readyPair
	spoilt.Standby, spoilt.Run, spoilt.Ready, spoilt.Reason = "", "", false, "secondary can't take over: the bridge is down"
	spoilt.Last = &record.Switch{From: "secondary", To: "primary", At: time.Now().Add(-time.Hour), Reason: "broker hung", Outage: config.Duration(1400 * time.Millisecond)}
	switching.Pending, switching.Reason, switching.Paused = "secondary", "broker crashed", true
	for name, c := range map[string]struct {
		r    record.Record
		want []string
	}{
		"ready":     {readyPair, []string{"primary, since 2030-01-02T03:04:05Z", "secondary, ready\n", "m-failover-7d9c-a, heard of", "last switch:  none"}},
		"spoilt":    {spoilt, []string{"not ready: secondary can't take over: the bridge is down", "secondary to primary, ", "(1h0m", "s ago): broker hung, outage 1.4s"}},
		"switching": {switching, []string{"switching:    to secondary: broker crashed", "no, paused"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := clusterWith(c.r).failover(t, "status")
			if code != fault.OK || errOut != "" {
				t.Errorf("exit %d: %s", code, errOut)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			code, out, _ = clusterWith(c.r).failover(t, "status", "--format", "json")
			var st pairStatus
			if err := json.Unmarshal([]byte(out), &st); code != fault.OK || err != nil || st.Active != c.r.Active || st.Standby.Ready != c.r.Ready || st.Epoch != 7 {
				t.Errorf("exit %d, %v: %s", code, err, out)
			}
		})
	}
}

// A leader is silent if it renews nothing, whatever its clock says.
func TestFailoverLeader(t *testing.T) {
	for _, c := range []struct {
		api  *clusterAPI
		want string
	}{
		{&clusterAPI{ahead: time.Hour}, "m-failover-7d9c-a, heard of 1s ago"},
		{&clusterAPI{ahead: -time.Hour}, "m-failover-7d9c-a, heard of 1s ago"},
		{&clusterAPI{renewed: "2026-01-02T15:04:05.000000Z"}, "none: m-failover-7d9c-a has been silent for "},
	} {
		c.api.annotations = clusterWith(readyPair).annotations
		if code, out, errOut := c.api.failover(t, "status"); code != fault.OK || !strings.Contains(out, c.want) {
			t.Errorf("exit %d, no %q in\n%s%s", code, c.want, out, errOut)
		}
	}
}

// switches does what is asked for at once.
func switches(annotations map[string]string, r *record.Record) {
	var q record.Request
	if json.Unmarshal([]byte(annotations[record.AnnotationRequest]), &q) != nil {
		return
	}
	last := &record.Switch{From: r.Active, To: q.To, Reason: "asked for", Outage: config.Duration(300 * time.Millisecond)}
	*r = record.Record{Epoch: r.Epoch + 2, Active: q.To, Request: q.ID, Last: last}
}

func TestFailoverSwitch(t *testing.T) {
	refuses := func(annotations map[string]string, r *record.Record) {
		var q record.Request
		_ = json.Unmarshal([]byte(annotations[record.AnnotationRequest]), &q)
		r.Request, r.Reason = q.ID, "refused: secondary isn't ready"
	}
	alone, pending := readyPair, readyPair
	alone.Standby, alone.Run, alone.Ready, alone.Reason = "", "", false, "secondary can't take over: its broker is down"
	pending.Pending, pending.Reason = "secondary", "broker crashed"
	for name, c := range map[string]struct {
		r    record.Record
		obey func(map[string]string, *record.Record)
		args string
		code fault.Code
		want string
	}{
		"done":            {readyPair, switches, "switch", fault.OK, "the secondary serves; it took "},
		"by name":         {readyPair, switches, "switch --to secondary", fault.OK, "nobody served for 300ms"},
		"already":         {readyPair, switches, "switch --to primary", fault.OK, "the primary serves already"},
		"left alone":      {readyPair, nil, "switch --no-wait", fault.OK, "asked for a switch to the secondary"},
		"no role":         {readyPair, nil, "switch --to tertiary", fault.Usage, `--to "tertiary"`},
		"not ready":       {alone, switches, "switch", fault.CheckFailed, "isn't ready to take over: secondary can't take over: its broker is down"},
		"under way":       {pending, switches, "switch", fault.CheckFailed, "a switch to the secondary is under way: broker crashed"},
		"refused":         {readyPair, refuses, "switch", fault.CheckFailed, "refused: secondary isn't ready"},
		"nobody does it":  {readyPair, nil, "switch --timeout 250ms", fault.Failed, "no controller has done it within 250ms"},
		"no such format":  {readyPair, nil, "switch --format yaml", fault.Usage, `--format "yaml"`},
		"JSON":            {readyPair, switches, "switch --format json", fault.OK, `"outageSeconds": 0.3`},
		"an error's JSON": {alone, switches, "switch --format json", fault.CheckFailed, `"code":5`},
	} {
		t.Run(name, func(t *testing.T) {
			api := clusterWith(c.r)
			api.obey = c.obey
			code, out, errOut := api.failover(t, append(strings.Fields(c.args), "--context", "x", "-n", "mq")...)
			if code != c.code || !strings.Contains(out+errOut, c.want) {
				t.Errorf("exit %d, and not %d with %q:\n%s%s", code, c.code, c.want, out, errOut)
			}
			if code != fault.OK && !strings.Contains(errOut, "hint") && name != "no role" && name != "no such format" {
				t.Errorf("no hint: %s", errOut)
			}
			if strings.Contains(errOut, "failover status") && !strings.Contains(errOut, "/kubeconfig --context x --namespace mq --name m") {
				t.Errorf("the hint's command is about another pair: %s", errOut)
			}
			if _, left := api.annotations[record.AnnotationRequest]; left && name == "nobody does it" {
				t.Error("the request wasn't taken back")
			}
		})
	}
}

func TestFailoverPause(t *testing.T) {
	obeys := func(annotations map[string]string, r *record.Record) {
		r.Paused = annotations[record.AnnotationPaused] == "true"
	}
	api := clusterWith(readyPair)
	api.obey = obeys
	for _, step := range []struct {
		command, want string
		paused        bool
	}{{"pause", "paused", true}, {"resume", "resumed", false}, {"resume", "resumed", false}} {
		code, out, errOut := api.failover(t, step.command)
		_, set := api.annotations[record.AnnotationPaused]
		if code != fault.OK || !strings.HasPrefix(out, step.want) || set != step.paused {
			t.Errorf("%s: exit %d, annotation %t: %s%s", step.command, code, set, out, errOut)
		}
	}
	api.obey = nil
	if code, _, errOut := api.failover(t, "pause", "--timeout", "150ms"); code != fault.Failed || !strings.Contains(errOut, "written to the Service, but no controller") {
		t.Errorf("exit %d: %s", code, errOut)
	}
}

func TestFailoverSaysWhatIsMissing(t *testing.T) {
	broken := &clusterAPI{annotations: map[string]string{record.Annotation: "{"}}
	forbidden := func(methods string) *clusterAPI { c := clusterWith(readyPair); c.deny = methods; return c }
	for name, c := range map[string]struct {
		api  *clusterAPI
		args string
		code fault.Code
		want []string
	}{
		"no right to read":  {forbidden("GET"), "status", fault.Unreachable, []string{"the API server forbids it", "cannot do that", "/kubeconfig auth can-i get services/m -n mq"}},
		"no right to patch": {forbidden("PATCH"), "switch", fault.Unreachable, []string{"/kubeconfig auth can-i patch services/m -n mq"}},
		"no right to pause": {forbidden("PATCH"), "pause", fault.Unreachable, []string{"/kubeconfig auth can-i patch services/m -n mq"}},
		"no Service":        {clusterWith(readyPair), "status -n other", fault.Unreachable, []string{"there is none", "--namespace (now other)"}},
		"no record":         {&clusterAPI{annotations: map[string]string{}}, "status", fault.CheckFailed, []string{"has no record", "/kubeconfig get pods -n mq"}},
		"a broken record":   {broken, "status", fault.CheckFailed, []string{"reading the annotation", "remove the annotation"}},
		"no such context":   {clusterWith(readyPair), "status --context y", fault.Usage, []string{"reading the kubeconfig", "kubectl config get-contexts"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := c.api.failover(t, strings.Fields(c.args)...)
			if code != c.code || out != "" {
				t.Errorf("exit %d, and not %d: %s", code, c.code, out)
			}
			for _, want := range c.want {
				if !strings.Contains(errOut, want) {
					t.Errorf("no %q in\n%s", want, errOut)
				}
			}
		})
	}
}
