package e2e_test

import (
	"io"
	"log"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/mosqbuild/mosqbuild/testing/apkrepo"
)

// Beyond loopback a registry without TLS is used only where that was said, and
// one that isn't there costs seconds.
func TestPushWithoutTLSBeyondLoopback(t *testing.T) {
	ns := namespace(t)
	const address = "192.0.2.10" // documentation's own network, RFC 5737
	run(t, "", "ip", "-n", ns, "addr", "add", address+"/32", "dev", "lo")
	host := serveIn(t, ns, address, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	r, err := apkrepo.New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mosqbuild(t, dir, "image", "build", "--repository", r.Dir, "--repository-key", r.Key)
	push := func(ref string, flags ...string) result {
		line := append([]string{"netns", "exec", ns, program, "image", "push", ref}, flags...)
		return try(t, dir, nil, "ip", line...)
	}
	refused := push(host + "/mosquitto")
	if refused.code != 4 || refused.out != "" || !strings.Contains(refused.err, "hint: where the registry has no TLS and the network is trusted: --tls-verify=false") {
		t.Errorf("exit %d, %q, %s", refused.code, refused.out, refused.err)
	}
	pushed := push(host+"/mosquitto", "--tls-verify=false")
	if pushed.code != 0 || !strings.HasPrefix(pushed.out, host+"/mosquitto@sha256:") || !strings.Contains(pushed.err, "the test credentials were left out") {
		t.Errorf("exit %d, %q, %s", pushed.code, pushed.out, pushed.err)
	}
	for _, ref := range []string{"192.0.2.11:5000/mosquitto", "registry.invalid/mosquitto"} {
		start := time.Now()
		gone := push(ref)
		if took := time.Since(start); gone.code != 4 || took > time.Minute || !strings.Contains(gone.err, "mosqbuild: hint: ") {
			t.Errorf("%s: exit %d after %v, %s", ref, gone.code, took, gone.err)
		}
	}
	silent := silence(t, ns) + ":5000/mosquitto"
	start := time.Now()
	gone := push(silent)
	if took := time.Since(start); gone.code != 4 || took > time.Minute {
		t.Errorf("a silent registry: exit %d after %v, %s", gone.code, took, gone.err)
	}
}
