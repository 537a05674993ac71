package podmantest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mosqbuild/mosqbuild/testing/podmantest"
)

func TestRun(t *testing.T) {
	e := podmantest.New(t)
	image := e.EchoImage(t)
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"root", nil, "user 0 0 "},
		{"any uid", []string{"--user", "2147483647:0"}, "user 2147483647 0 "},
		{"group added", []string{"--user", "568:568", "--group-add", "0"}, "user 568 568 [0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if os.Geteuid() != 0 && strings.Contains(tc.want, "2147483647") {
				t.Skip("uids this high need root")
			}
			args := append([]string{"run", "--rm", "--read-only", "--cap-drop=ALL"}, tc.args...)
			out := e.Podman(t, append(args, image)...)
			if !strings.HasPrefix(out, tc.want) || !strings.Contains(out, "write / false") {
				t.Errorf("it ran as\n%s\nwant %q", out, tc.want)
			}
		})
	}
	id := e.Podman(t, "run", "--detach", image, "1883")
	if out := e.Podman(t, "exec", "--user", "7:0", id, "/echo"); !strings.HasPrefix(out, "user 7 0") {
		t.Errorf("exec ran as %q", out)
	}
}
