package failover_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mosqbuild/mosqbuild/failover"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

var update = flag.Bool("update", false, "write the generated parts of docs/failover.md anew")

const page = "../docs/failover.md"

// diagram draws the states as Mermaid does.
func diagram() string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> unset\n")
	for _, t := range failover.Transitions() {
		if t.From != t.To {
			fmt.Fprintf(&b, "    %s --> %s: %s\n", t.From, t.To, t.Kind)
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// table lists states and transitions.
func table() string {
	var b strings.Builder
	b.WriteString("| state | what it is |\n|---|---|\n")
	for _, m := range failover.States() {
		fmt.Fprintf(&b, "| %s | %s |\n", m.State, m.Means)
	}
	b.WriteString("\n| from | by | to | when |\n|---|---|---|---|\n")
	var loops []string
	for _, t := range failover.Transitions() {
		if t.From != t.To {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", t.From, t.Kind, t.To, t.When)
			continue
		}
		row := fmt.Sprintf("| %%s | %s | the same | %s |\n", t.Kind, t.When)
		if !slices.Contains(loops, row) {
			loops = append(loops, row)
		}
	}
	for _, row := range loops {
		var from []string
		for _, t := range failover.Transitions() {
			if t.From == t.To && row == fmt.Sprintf("| %%s | %s | the same | %s |\n", t.Kind, t.When) {
				from = append(from, string(t.From))
			}
		}
		fmt.Fprintf(&b, row, strings.Join(from, ", "))
	}
	return b.String()
}

// metricsTable lists what is at /metrics.
func metricsTable() string {
	var b strings.Builder
	b.WriteString("| metric | type | of | what it says |\n|---|---|---|---|\n")
	for _, m := range failover.Metrics() {
		name, of := m.Name, "all"
		if m.Label != "" {
			name += "{" + m.Label + "}"
		}
		if m.Leader {
			of = "leader"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, m.Type, of, m.Help)
	}
	return b.String()
}

func TestThePageIsUpToDate(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for name, part := range map[string]string{"diagram": diagram(), "states": table(), "metrics": metricsTable()} {
		between := regexp.MustCompile(`(?s)(<!-- ` + name + `:begin -->\n).*?(<!-- ` + name + `:end -->)`)
		if len(between.FindAllString(want, -1)) != 1 {
			t.Fatalf("%s has not one part between the markers %s:begin and %s:end", page, name, name)
		}
		want = between.ReplaceAllStringFunc(want, func(s string) string {
			m := between.FindStringSubmatch(s)
			return m[1] + part + m[2]
		})
	}
	for _, name := range []string{"chaos", "seed"} {
		if !regexp.MustCompile(`(?s)<!-- ` + name + `:begin -->\n.*?<!-- ` + name + `:end -->`).MatchString(want) {
			t.Errorf("%s has no place for what is measured: %s", page, name)
		}
	}
	if *update && want != string(text) {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("%s isn't what the code says; run: go test ./failover -update", page)
	}
}

// ruleFile is Prometheus's format of rules.
type ruleFile struct {
	Groups []struct {
		Name     string `yaml:"name"`
		Interval string `yaml:"interval"`
		Rules    []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// TestAlerts has Prometheus's own tool try each rule, and checks that none is
// left out.
func TestAlerts(t *testing.T) {
	need.Program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "../docs/alerts.yaml"}, {"test", "rules", "testdata/alerts.test.yaml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v:\n%s", strings.Join(args, " "), err, out)
		}
	}
	rules, err := os.ReadFile("../docs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("testdata/alerts.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		// Silent in its own case until it is due, and silent where all is well.
		if n := strings.Count(string(tests), "alertname: "+m[1]+"}"); n == 0 {
			t.Errorf("%s is never expected to be silent", m[1])
		}
		if !regexp.MustCompile(`alertname: ` + m[1] + `\n\s+exp_alerts:`).Match(tests) {
			t.Errorf("%s is never expected to fire", m[1])
		}
	}
}

func TestAlertsAreAboutMetricsThatAre(t *testing.T) {
	data, err := os.ReadFile("../docs/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var f ruleFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		t.Fatal(err)
	}
	known := map[string]failover.Metric{}
	for _, m := range failover.Metrics() {
		known[m.Name] = m
	}
	names := regexp.MustCompile(`mosqbuild_[a-z_]+`)
	seen := map[string]bool{}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			used := names.FindAllString(r.Expr, -1)
			if r.Alert == "" || seen[r.Alert] || len(used) == 0 || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("not a whole rule: %+v", r)
			}
			seen[r.Alert] = true
			for _, name := range used {
				if _, ok := known[name]; !ok {
					t.Errorf("%s: there is no metric %q", r.Alert, name)
				}
			}
		}
	}
	if len(seen) < 6 {
		t.Errorf("%d rules: this test looks at too few", len(seen))
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for alert := range seen {
		if !strings.Contains(string(text), "`"+alert+"`") {
			t.Errorf("%s doesn't explain %s", page, alert)
		}
	}
}
