package openshift_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/mosqbuild/mosqbuild/config"
	"github.com/mosqbuild/mosqbuild/openshift"
	"github.com/mosqbuild/mosqbuild/testing/need"
)

// unscored are the checks of kube-score that this project answers otherwise.
var unscored = map[string]string{
	"container-image-pull-policy":              "Always would need the registry at every restart; an image by digest can't change",
	"container-security-context-user-group-id": "restricted-v2 assigns the uid under OpenShift, and 568 is the home cluster's own; it wants 10000 and more",
}

// kube-score finds nothing critical.
func TestKubeScore(t *testing.T) {
	program := need.Peer(t, "github.com/zegl/kube-score/cmd/kube-score@v1.20.0", need.Peers)
	each(t, func(t *testing.T, _ string, cfg config.Config) {
		var stream, stderr bytes.Buffer
		if err := openshift.WriteYAML(&stream, objects(t, cfg)); err != nil {
			t.Fatal(err)
		}
		args := []string{"score", "--output-format", "json", "--exit-one-on-warning=false"}
		for id := range unscored {
			args = append(args, "--ignore-test", id)
		}
		c := exec.CommandContext(t.Context(), program, append(args, "-")...)
		c.Stdin, c.Stderr = &stream, &stderr
		out, _ := c.Output() // it exits with 1 where it finds anything
		var scored []struct {
			ObjectName string `json:"object_name"`
			Checks     []struct {
				Check   struct{ ID string }
				Grade   int
				Skipped bool
			}
		}
		if err := json.Unmarshal(out, &scored); err != nil || len(scored) == 0 {
			t.Fatalf("%v, %d objects: %s%s", err, len(scored), out, &stderr)
		}
		const critical = 1
		for _, o := range scored {
			for _, check := range o.Checks {
				if check.Grade == critical && !check.Skipped {
					t.Errorf("%s: %s", o.ObjectName, check.Check.ID)
				}
			}
		}
	})
}
